// The few functions of the CUDA driver that an engine needs, of the library that is loaded.
#pragma once

#include <NvInfer.h>

namespace fake {

struct Driver {
    // CUresult cuLaunchHostFunc(CUstream, CUhostFn, void*)
    int (*launch)(cudaStream_t, void (*)(void*), void*);
    // CUresult cuStreamIsCapturing(CUstream, CUstreamCaptureStatus*); status 1 is an active capture.
    int (*is_capturing)(cudaStream_t, int*);
};

// Of libcuda where the process has loaded it, else nullptr. It is never loaded here.
Driver const* driver();

} // namespace fake
