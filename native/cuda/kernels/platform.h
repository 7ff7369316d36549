// What the kernels need of their compiler: NVRTC, or a C++ compiler that builds them for the host
// (tests), which defines GAPCAM_HOST_KERNELS and supplies threadIdx and the like.
#pragma once

#ifdef GAPCAM_HOST_KERNELS
#include "host_platform.h"
#else
#define GAPCAM_KERNEL extern "C" __global__ void
#define GAPCAM_DEVICE __device__ __forceinline__
#define GAPCAM_SHARED __shared__
#define GAPCAM_SYNCHRONISE() __syncthreads()
// Before a loop: unrolled whole, or not at all.
#define GAPCAM_UNROLL _Pragma("unroll")
#define GAPCAM_NO_UNROLL _Pragma("unroll 1")
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
#endif
