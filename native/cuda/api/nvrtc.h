// Our own declarations of the part of NVRTC that we use; see driver.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gapcam::cuda::nvrtc {

using Result = int32_t;  // 0: success
using Program = struct ProgramObject *;

// F(name, result, parameters)
#define GAPCAM_NVRTC_FUNCTIONS(F)                                                              \
  F(nvrtcVersion, Result, (int32_t * major, int32_t * minor))                                  \
  F(nvrtcGetErrorString, const char *, (Result result))                                        \
  F(nvrtcCreateProgram, Result,                                                                \
    (Program * program, const char *source, const char *name, int32_t header_count,            \
     const char *const *headers, const char *const *header_names))                             \
  F(nvrtcDestroyProgram, Result, (Program * program))                                          \
  F(nvrtcCompileProgram, Result, (Program program, int32_t count, const char *const *options)) \
  F(nvrtcGetCUBINSize, Result, (Program program, size_t * bytes))                              \
  F(nvrtcGetCUBIN, Result, (Program program, char *image))                                     \
  F(nvrtcGetProgramLogSize, Result, (Program program, size_t * bytes))                         \
  F(nvrtcGetProgramLog, Result, (Program program, char *text))                                 \
  F(nvrtcGetNumSupportedArchs, Result, (int32_t * count))                                      \
  F(nvrtcGetSupportedArchs, Result, (int32_t * architectures))

struct Functions {
#define GAPCAM_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  GAPCAM_NVRTC_FUNCTIONS(GAPCAM_MEMBER)
#undef GAPCAM_MEMBER
};

}  // namespace gapcam::cuda::nvrtc
