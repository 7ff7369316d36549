// libcublas.so.13
#include "api/cublas.h"

#include <cstring>

#include "sim.h"

namespace gapcam::cuda::cublas {

#define CUDASIM_DECLARE(name, result, parameters) \
  extern "C" __attribute__((visibility("default"))) result name parameters;
GAPCAM_CUBLAS_FUNCTIONS(CUDASIM_DECLARE)
#undef CUDASIM_DECLARE

struct HandleObject {
  Stream stream = nullptr;
  bool has_workspace = false;
};

namespace {
constexpr Status not_initialised = 1, invalid_value = 7, execution_failed = 13;

#ifndef CUDASIM_WITHOUT_GEMM
// Whether a column-major matrix lies in memory, at a whole number.
bool holds(const float *matrix, int64_t rows, int64_t columns, int64_t leading) {
  return reinterpret_cast<uintptr_t>(matrix) % sizeof(float) == 0 &&
         cudasim_holds(matrix, static_cast<size_t>(leading * (columns - 1) + rows) * 4);
}
#endif

}  // namespace

Status cublasCreate_v2(Handle *handle) {
  if (cudasim_ready() != 0) return not_initialised;
  *handle = new HandleObject;
  return 0;
}

Status cublasDestroy_v2(Handle handle) {
  delete handle;
  return 0;
}

Status cublasGetVersion_v2(Handle, int32_t *version) {
  *version = 130000;
  return 0;
}

Status cublasGetProperty(int32_t property, int32_t *value) {
  *value = property == 0 ? 13 : 0;
  return 0;
}

const char *cublasGetStatusString(Status status) {
  return status == 0 ? "CUBLAS_STATUS_SUCCESS" : "CUBLAS_STATUS_EXECUTION_FAILED";
}

Status cublasSetStream_v2(Handle handle, Stream stream) {
  handle->stream = stream;
  // It goes back to memory that it allocates by itself.
  handle->has_workspace = false;
  return 0;
}

Status cublasSetWorkspace_v2(Handle handle, void *workspace, size_t bytes) {
  // What NVIDIA asks for on Hopper; less makes it allocate, or slow.
  handle->has_workspace = bytes >= size_t{32} << 20 &&
                          reinterpret_cast<uintptr_t>(workspace) % 256 == 0 &&
                          cudasim_holds(workspace, bytes);
  return handle->has_workspace ? 0 : invalid_value;
}

Status cublasSetMathMode(Handle, MathMode mode) {
  return mode == pedantic_math || mode == tf32_math ? 0 : invalid_value;
}

#ifndef CUDASIM_WITHOUT_GEMM
Status cublasSgemm_v2(Handle handle, Transpose transpose_a, Transpose transpose_b, int32_t m,
                      int32_t n, int32_t k, const float *alpha, const float *a, int32_t lda,
                      const float *b, int32_t ldb, const float *beta, float *c, int32_t ldc) {
  if (!handle || !handle->has_workspace) return not_initialised;
  if (m <= 0 || n <= 0 || k <= 0 || lda < (transpose_a ? k : m) || ldb < (transpose_b ? n : k) ||
      ldc < m) {
    return invalid_value;
  }
  if (!holds(a, transpose_a ? k : m, transpose_a ? m : k, lda) ||
      !holds(b, transpose_b ? n : k, transpose_b ? k : n, ldb) || !holds(c, m, n, ldc)) {
    return invalid_value;
  }
  const auto work = [=, scale = *alpha, keep = *beta] {
    for (int64_t j = 0; j < n; j++) {
      for (int64_t i = 0; i < m; i++) {
        float sum = 0.0f;
        for (int64_t l = 0; l < k; l++) {
          sum += (transpose_a ? a[l + i * lda] : a[i + l * lda]) *
                 (transpose_b ? b[j + l * ldb] : b[l + j * ldb]);
        }
        float &out = c[i + j * ldc];
        // As BLAS has it, what a zero beta multiplies is not read.
        out = scale * sum + (keep == 0.0f ? 0.0f : keep * out);
      }
    }
  };
  return cudasim::enqueue(handle->stream, work) == 0 ? 0 : execution_failed;
}
#endif

}  // namespace gapcam::cuda::cublas
