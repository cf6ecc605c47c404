// The few functions that other stand-ins need of the CUDA driver.
#pragma once

#include "cuda/launch.h"

namespace fake {

struct Driver {
    decltype(&double_launch) launch;
    // cuStreamIsCapturing. A status that is not 0 is a capture.
    int (*is_capturing)(void* stream, int* status);
    // cuStreamSynchronize.
    int (*synchronize)(void* stream);
};

// The fake libcuda where the process has loaded it, else nullptr. It is never loaded here.
const Driver* driver();

} // namespace fake
