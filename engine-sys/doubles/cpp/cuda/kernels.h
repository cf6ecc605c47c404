// The engine's kernels, compiled for the host.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace cuda {

struct Extent {
    unsigned x, y, z;
};

struct Parameter {
    std::size_t bytes;
    // Whether it is an address of the device.
    bool pointer;
};

struct Kernel {
    const char *name;
    std::vector<Parameter> parameters;
    // Runs every thread of every block, one after the other.
    void (*run)(void *const *parameters, Extent grid, Extent block);
};

// Null where there is no kernel of that name.
const Kernel *find_kernel(const std::string &name);

} // namespace cuda
