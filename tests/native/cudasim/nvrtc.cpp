// libnvrtc.so.13: "compiles" to a name that the simulated driver takes for its own kernels.
#include "api/nvrtc.h"

#include <cstring>
#include <string>

namespace gapcam::cuda::nvrtc {

#define CUDASIM_DECLARE(name, result, parameters) \
  extern "C" __attribute__((visibility("default"))) result name parameters;
GAPCAM_NVRTC_FUNCTIONS(CUDASIM_DECLARE)
#undef CUDASIM_DECLARE

struct ProgramObject {
  std::string image, log;
};

namespace {
constexpr int32_t architectures[] = {75, 80, 86, 89, 90, 100};
constexpr Result compilation_failed = 6;
}  // namespace

Result nvrtcVersion(int32_t *major, int32_t *minor) {
  *major = 13;
  *minor = 0;
  return 0;
}

const char *nvrtcGetErrorString(Result result) {
  return result == 0 ? "NVRTC_SUCCESS" : "NVRTC_ERROR_COMPILATION";
}

Result nvrtcCreateProgram(Program *program, const char *source, const char *, int32_t header_count,
                          const char *const *, const char *const *names) {
  *program = new ProgramObject;
  // What the source includes must have been handed over with it.
  for (const char *name : {"elementwise.h", "groups.h", "images.h", "layout.h", "loss.h", "norm.h",
                           "platform.h", "pool.h", "sums.h"}) {
    bool found = false;
    for (int32_t i = 0; i < header_count; i++) found = found || std::strcmp(names[i], name) == 0;
    if (!found) (*program)->log += std::string(name) + " is missing\n";
  }
  if (!std::strstr(source, "GAPCAM_KERNEL")) (*program)->log += "no kernel\n";
  return 0;
}

Result nvrtcDestroyProgram(Program *program) {
  delete *program;
  *program = nullptr;
  return 0;
}

Result nvrtcCompileProgram(Program program, int32_t count, const char *const *options) {
  program->image = "cudasim";
  for (int32_t i = 0; i < count; i++) program->image += std::string(" ") + options[i];
  return program->log.empty() ? 0 : compilation_failed;
}

Result nvrtcGetCUBINSize(Program program, size_t *bytes) {
  *bytes = program->image.size();
  return 0;
}

Result nvrtcGetCUBIN(Program program, char *image) {
  std::memcpy(image, program->image.data(), program->image.size());
  return 0;
}

Result nvrtcGetProgramLogSize(Program program, size_t *bytes) {
  *bytes = program->log.size() + 1;
  return 0;
}

Result nvrtcGetProgramLog(Program program, char *text) {
  std::memcpy(text, program->log.c_str(), program->log.size() + 1);
  return 0;
}

Result nvrtcGetNumSupportedArchs(int32_t *count) {
  *count = sizeof architectures / sizeof *architectures;
  return 0;
}

Result nvrtcGetSupportedArchs(int32_t *known) {
  std::memcpy(known, architectures, sizeof architectures);
  return 0;
}

}  // namespace gapcam::cuda::nvrtc
