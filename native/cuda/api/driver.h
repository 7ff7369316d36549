// Our own declarations of the part of libcuda that we use. api/check.cpp holds them against
// NVIDIA's header where that is present.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gapcam::cuda::driver {

using Result = int32_t;
using Device = int32_t;
using Pointer = uint64_t;  // an address on the device
using Context = struct ContextObject *;
using Module = struct ModuleObject *;
using Function = struct FunctionObject *;
using Stream = struct StreamObject *;
using Event = struct EventObject *;
using Graph = struct GraphObject *;
using GraphExecutable = struct GraphExecutableObject *;

enum : Result {
  success = 0,
  out_of_memory = 2,
  not_initialized = 3,
  no_device = 100,
  invalid_device = 101,
  not_ready = 600,
  first_capture_error = 900  // of ten
};

enum Attribute : int32_t {
  multiprocessor_count = 16,
  compute_capability_major = 75,
  compute_capability_minor = 76
};

enum : uint32_t { stream_non_blocking = 1, event_default = 0, event_disable_timing = 2 };
enum CaptureMode : int32_t { capture_thread_local = 1 };

// F(name, result, parameters)
#define GAPCAM_DRIVER_FUNCTIONS(F)                                                               \
  F(cuInit, Result, (uint32_t flags))                                                            \
  F(cuDriverGetVersion, Result, (int32_t * version))                                             \
  F(cuGetErrorName, Result, (Result error, const char **name))                                   \
  F(cuGetErrorString, Result, (Result error, const char **text))                                 \
  F(cuDeviceGetCount, Result, (int32_t * count))                                                 \
  F(cuDeviceGet, Result, (Device * device, int32_t index))                                       \
  F(cuDeviceGetName, Result, (char *name, int32_t capacity, Device device))                      \
  F(cuDeviceGetAttribute, Result, (int32_t * value, Attribute attribute, Device device))         \
  F(cuDeviceGetUuid_v2, Result, (void *identity, Device device))                                 \
  F(cuDeviceTotalMem_v2, Result, (size_t * bytes, Device device))                                \
  F(cuDevicePrimaryCtxRetain, Result, (Context * context, Device device))                        \
  F(cuDevicePrimaryCtxRelease_v2, Result, (Device device))                                       \
  F(cuCtxSetCurrent, Result, (Context context))                                                  \
  F(cuMemGetInfo_v2, Result, (size_t * free, size_t * total))                                    \
  F(cuMemAlloc_v2, Result, (Pointer * pointer, size_t bytes))                                    \
  F(cuMemFree_v2, Result, (Pointer pointer))                                                     \
  F(cuMemHostAlloc, Result, (void **pointer, size_t bytes, uint32_t flags))                      \
  F(cuMemFreeHost, Result, (void *pointer))                                                      \
  F(cuMemsetD8Async, Result, (Pointer target, unsigned char value, size_t bytes, Stream stream)) \
  F(cuMemcpyHtoDAsync_v2, Result,                                                                \
    (Pointer target, const void *source, size_t bytes, Stream stream))                           \
  F(cuMemcpyDtoHAsync_v2, Result, (void *target, Pointer source, size_t bytes, Stream stream))   \
  F(cuMemcpyDtoDAsync_v2, Result, (Pointer target, Pointer source, size_t bytes, Stream stream)) \
  F(cuStreamCreate, Result, (Stream * stream, uint32_t flags))                                   \
  F(cuStreamDestroy_v2, Result, (Stream stream))                                                 \
  F(cuStreamSynchronize, Result, (Stream stream))                                                \
  F(cuStreamWaitEvent, Result, (Stream stream, Event event, uint32_t flags))                     \
  F(cuStreamBeginCapture_v2, Result, (Stream stream, CaptureMode mode))                          \
  F(cuStreamEndCapture, Result, (Stream stream, Graph * graph))                                  \
  F(cuEventCreate, Result, (Event * event, uint32_t flags))                                      \
  F(cuEventDestroy_v2, Result, (Event event))                                                    \
  F(cuEventRecord, Result, (Event event, Stream stream))                                         \
  F(cuEventSynchronize, Result, (Event event))                                                   \
  F(cuEventElapsedTime, Result, (float *milliseconds, Event start, Event end))                   \
  F(cuGraphInstantiateWithFlags, Result,                                                         \
    (GraphExecutable * executable, Graph graph, unsigned long long flags))                       \
  F(cuGraphLaunch, Result, (GraphExecutable executable, Stream stream))                          \
  F(cuGraphDestroy, Result, (Graph graph))                                                       \
  F(cuGraphExecDestroy, Result, (GraphExecutable executable))                                    \
  F(cuModuleLoadData, Result, (Module * module, const void *image))                              \
  F(cuModuleUnload, Result, (Module module))                                                     \
  F(cuModuleGetFunction, Result, (Function * function, Module module, const char *name))         \
  F(cuLaunchKernel, Result,                                                                      \
    (Function function, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z, uint32_t block_x,     \
     uint32_t block_y, uint32_t block_z, uint32_t shared_bytes, Stream stream, void **arguments, \
     void **extra))

struct Functions {
#define GAPCAM_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  GAPCAM_DRIVER_FUNCTIONS(GAPCAM_MEMBER)
#undef GAPCAM_MEMBER
};

}  // namespace gapcam::cuda::driver
