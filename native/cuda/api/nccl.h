// Our own declarations of the part of NCCL that we use. api/check.cpp holds them against NVIDIA's
// header where that is present.
#pragma once

#include <cstddef>
#include <cstdint>

#include "driver.h"

namespace gapcam::cuda::nccl {

using Result = int32_t;
using Communicator = struct CommunicatorObject *;

enum : Result { success = 0, remote_error = 6, in_progress = 7 };
enum DataType : int32_t { type_uint8 = 1, type_float32 = 7 };
enum Operation : int32_t { sum = 0 };

// Passed by value.
struct UniqueId {
  char internal[128];
};

// F(name, result, parameters)
#define GAPCAM_NCCL_FUNCTIONS(F)                                                             \
  F(ncclGetVersion, Result, (int32_t * version))                                             \
  F(ncclGetErrorString, const char *, (Result result))                                       \
  F(ncclGetLastError, const char *, (Communicator communicator))                             \
  F(ncclGetUniqueId, Result, (UniqueId * id))                                                \
  F(ncclCommInitRank, Result,                                                                \
    (Communicator * communicator, int32_t size, UniqueId id, int32_t rank))                  \
  F(ncclCommGetAsyncError, Result, (Communicator communicator, Result * error))              \
  F(ncclCommAbort, Result, (Communicator communicator))                                      \
  F(ncclCommFinalize, Result, (Communicator communicator))                                   \
  F(ncclCommDestroy, Result, (Communicator communicator))                                    \
  F(ncclAllGather, Result,                                                                   \
    (const void *own, void *all, size_t count, DataType type, Communicator communicator,     \
     driver::Stream stream))                                                                 \
  F(ncclAllReduce, Result,                                                                   \
    (const void *own, void *all, size_t count, DataType type, Operation operation,           \
     Communicator communicator, driver::Stream stream))                                      \
  F(ncclSend, Result,                                                                        \
    (const void *data, size_t count, DataType type, int32_t peer, Communicator communicator, \
     driver::Stream stream))                                                                 \
  F(ncclRecv, Result,                                                                        \
    (void *data, size_t count, DataType type, int32_t peer, Communicator communicator,       \
     driver::Stream stream))                                                                 \
  F(ncclGroupStart, Result, ())                                                              \
  F(ncclGroupEnd, Result, ())

struct Functions {
#define GAPCAM_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  GAPCAM_NCCL_FUNCTIONS(GAPCAM_MEMBER)
#undef GAPCAM_MEMBER
};

}  // namespace gapcam::cuda::nccl
