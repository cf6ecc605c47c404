// The two types that TensorRT's headers take from CUDA, for machines without the toolkit.
#pragma once

typedef struct CUevent_st* cudaEvent_t;
typedef struct CUstream_st* cudaStream_t;
