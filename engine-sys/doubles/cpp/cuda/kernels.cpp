// The engine's kernels as C++: the same source that NVRTC compiles, with the words of CUDA that it
// uses defined for the host.
#include "kernels.h"

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

namespace {

thread_local cuda::Extent blockIdx, threadIdx, blockDim;

inline float __uint_as_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline unsigned __float_as_uint(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

} // namespace

#define __device__
#define __global__
#include "pixel.cuh"
#include "assemble.cu"
#include "windows.cu"
#include "composite.cu"
#undef __device__
#undef __global__

namespace {

template <class... P, std::size_t... I>
void call(void (*kernel)(P...), void *const *parameters, std::index_sequence<I...>) {
    kernel(*static_cast<P *>(parameters[I])...);
}

template <auto KERNEL, class... P>
void run_all(void (*)(P...), void *const *parameters, cuda::Extent grid, cuda::Extent block) {
    blockDim = block;
    for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x)
                for (threadIdx.z = 0; threadIdx.z < block.z; ++threadIdx.z)
                    for (threadIdx.y = 0; threadIdx.y < block.y; ++threadIdx.y)
                        for (threadIdx.x = 0; threadIdx.x < block.x; ++threadIdx.x)
                            call(KERNEL, parameters, std::index_sequence_for<P...>{});
}

template <auto KERNEL> void run(void *const *parameters, cuda::Extent grid, cuda::Extent block) {
    run_all<KERNEL>(KERNEL, parameters, grid, block);
}

template <class... P> std::vector<cuda::Parameter> parameters_of(void (*)(P...)) {
    return {{sizeof(P), std::is_pointer<P>::value}...};
}

#define KERNEL(name) {#name, parameters_of(name), run<name>}

} // namespace

const cuda::Kernel *cuda::find_kernel(const std::string &name) {
    static const Kernel kernels[] = {
        KERNEL(assemble_f32),
        KERNEL(assemble_f16),
        KERNEL(windows_f32),
        KERNEL(composite_f32),
        KERNEL(composite_f16),
    };
    for (const Kernel &kernel : kernels)
        if (name == kernel.name) return &kernel;
    return nullptr;
}

// Not of the driver: runs a kernel at once, in the thread that calls. Returns 0, or 1 where there is
// no such kernel or it takes another number of parameters.
extern "C" __attribute__((visibility("default"))) int
double_run_kernel(const char *name, const unsigned *grid, const unsigned *block,
                  void *const *parameters, std::size_t count) {
    const cuda::Kernel *kernel = cuda::find_kernel(name);
    if (!kernel || kernel->parameters.size() != count) return 1;
    kernel->run(parameters, {grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]});
    return 0;
}
