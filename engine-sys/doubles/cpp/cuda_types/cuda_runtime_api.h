// All that TensorRT's headers need of CUDA's, so that the stand-ins build without CUDA.
#pragma once

typedef struct CUevent_st *cudaEvent_t;
typedef struct CUstream_st *cudaStream_t;
