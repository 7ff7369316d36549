// Our own declarations of the part of cuBLAS that we use; see driver.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "driver.h"

namespace gapcam::cuda::cublas {

using Status = int32_t;  // 0: success
using Handle = struct HandleObject *;
using driver::Stream;

enum Transpose : int32_t { as_stored = 0, transposed = 1 };
// f32 in every step (pedantic: no TF32, no split into lower precision), or TF32 multiplication.
enum MathMode : int32_t { pedantic_math = 2, tf32_math = 3 };

// F(name, result, parameters)
#define GAPCAM_CUBLAS_FUNCTIONS(F)                                                                 \
  F(cublasCreate_v2, Status, (Handle * handle))                                                    \
  F(cublasDestroy_v2, Status, (Handle handle))                                                     \
  F(cublasGetVersion_v2, Status, (Handle handle, int32_t * version))                               \
  F(cublasGetProperty, Status, (int32_t property, int32_t * value))                                \
  F(cublasGetStatusString, const char *, (Status status))                                          \
  F(cublasSetStream_v2, Status, (Handle handle, Stream stream))                                    \
  F(cublasSetWorkspace_v2, Status, (Handle handle, void *workspace, size_t bytes))                 \
  F(cublasSetMathMode, Status, (Handle handle, MathMode mode))                                     \
  F(cublasSgemm_v2, Status,                                                                        \
    (Handle handle, Transpose transpose_a, Transpose transpose_b, int32_t m, int32_t n, int32_t k, \
     const float *alpha, const float *a, int32_t lda, const float *b, int32_t ldb,                 \
     const float *beta, float *c, int32_t ldc))

struct Functions {
#define GAPCAM_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  GAPCAM_CUBLAS_FUNCTIONS(GAPCAM_MEMBER)
#undef GAPCAM_MEMBER
};

}  // namespace gapcam::cuda::cublas
