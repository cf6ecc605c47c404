// The few functions that an engine needs of the CUDA driver.
#pragma once

#include <NvInfer.h>

#include <cstddef>

namespace fake {

struct Driver {
    // As cuLaunchHostFunc, naming the device memory that the function touches.
    int (*launch)(cudaStream_t, void (*)(void*), void*, const void* const*, std::size_t);
    // cuStreamIsCapturing. A status that is not 0 is a capture.
    int (*is_capturing)(cudaStream_t, int*);
};

// The fake libcuda where the process has loaded it, else nullptr. It is never loaded here.
const Driver* driver();

} // namespace fake
