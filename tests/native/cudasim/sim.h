// A stand-in for NVIDIA's driver and libraries, for tests of the code that calls them: device
// memory is host memory and kernels are compiled for the host. Never shipped.
//
// It is strict where a GPU would only sometimes fail. Work is not done when it is enqueued but when
// somebody waits for it, so a missing wait shows; memory starts as NaN; what may not be called
// while a stream is captured is refused; workspaces are overwritten.
//
// Faults are asked for with environment variables, read when they matter:
//   CUDASIM_DEVICES               how many devices there are (1)
//   CUDASIM_CAPABILITY            compute capability of each, as 90
//   CUDASIM_BYTES                 memory of each, in bytes
//   CUDASIM_DRIVER                version of the driver, as 13000
//   CUDASIM_FAIL_ALLOCATION       the n-th allocation finds no memory
//   CUDASIM_FAIL_LAUNCH           the n-th kernel fails, which shows when it is waited for; counts
//                                 start when a device is opened
//   CUDASIM_CUDNN                 version of cuDNN, as 92400
//   CUDASIM_CUDNN_CUDA            CUDA version that cuDNN was built for, as 13000
//   CUDASIM_REFUSE_FUSED          cuDNN proposes nothing for graphs of several operations
//   CUDASIM_REFUSE_CHANNELS       cuDNN proposes nothing for convolutions of so many channels
//   CUDASIM_REFUSE_CAPTURE        cuDNN cannot run while a stream is captured
//   CUDASIM_KEEP_FAILURE          a failed kernel's context outlives the device, as on a GPU
//   CUDASIM_EAGER                 work is done when it is enqueued, so that a kernel's failure
//                                 shows in whatever is called next
#pragma once

#include <cstdlib>
#include <functional>

#include "api/driver.h"

namespace cudasim {

inline long long setting(const char *name, long long otherwise) {
  const char *text = std::getenv(name);
  return text && *text ? std::atoll(text) : otherwise;
}

}  // namespace cudasim

// How cuDNN and cuBLAS put work on a stream. `run` may be called many times, `destroy` once.
extern "C" gapcam::cuda::driver::Result cudasim_enqueue(gapcam::cuda::driver::Stream stream,
                                                        void (*run)(void *), void *data,
                                                        void (*destroy)(void *));

// What cuDNN and cuBLAS ask of the driver: whether a call can be made now; whether all of
// [pointer, pointer + bytes) lies in one allocation; whether a stream is being captured.
extern "C" gapcam::cuda::driver::Result cudasim_ready();
extern "C" bool cudasim_holds(const void *pointer, size_t bytes);
extern "C" bool cudasim_captures(gapcam::cuda::driver::Stream stream);

// Kernels that cuDNN compiled for plans, in this process: adds `more` to it.
extern "C" long long cudasim_compiled(long long more);

// Allocations and kernels since the first device was opened, while none is closed again.
extern "C" void cudasim_counts(long long *allocations, long long *launches);

// What was made and not given back: memory, streams, events, graphs, modules, uses of the context.
extern "C" long long cudasim_left();

namespace cudasim {

inline gapcam::cuda::driver::Result enqueue(gapcam::cuda::driver::Stream stream,
                                            std::function<void()> work) {
  using Work = std::function<void()>;
  return cudasim_enqueue(
      stream, [](void *data) { (*static_cast<Work *>(data))(); }, new Work(std::move(work)),
      [](void *data) { delete static_cast<Work *>(data); });
}

}  // namespace cudasim
