#include "kernel_module.h"

#include <vector>

#include "cache.h"
#include "error.h"
#include "kernel_source.h"

namespace gapcam::cuda {

namespace {

// The newest architecture that NVRTC knows and whose code the device runs: of the same generation,
// and not newer.
int choose_architecture(const Libraries &libraries, int capability) {
  int32_t count = 0;
  std::vector<int32_t> known;
  if (libraries.nvrtc.nvrtcGetNumSupportedArchs(&count) == 0 && count > 0) {
    known.resize(static_cast<size_t>(count));
    if (libraries.nvrtc.nvrtcGetSupportedArchs(known.data()) != 0) known.clear();
  }
  int best = 0;
  for (const int32_t one : known) {
    if (one / 10 == capability / 10 && one <= capability && one > best) best = one;
  }
  if (best == 0) {
    throw Error(GAPCAM_UNSUPPORTED,
                format("Cannot compile kernels for compute capability %d.%d: NVRTC %s does not "
                       "know it; install a CUDA version that supports the device",
                       capability / 10, capability % 10, libraries.nvrtc_version.c_str()));
  }
  return best;
}

class Program {
 public:
  explicit Program(const nvrtc::Functions &nvrtc) : nvrtc_(nvrtc) {
    std::vector<const char *> texts, names;
    for (size_t i = 1; i < kernel_files.size(); i++) {
      texts.push_back(kernel_files[i].text);
      names.push_back(kernel_files[i].name);
    }
    require(nvrtc_.nvrtcCreateProgram(&program_, kernel_files[0].text, kernel_files[0].name,
                                      static_cast<int32_t>(names.size()), texts.data(),
                                      names.data()));
  }
  ~Program() { nvrtc_.nvrtcDestroyProgram(&program_); }
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  std::string compile(const std::vector<const char *> &options) {
    const nvrtc::Result result =
        nvrtc_.nvrtcCompileProgram(program_, static_cast<int32_t>(options.size()), options.data());
    if (result != 0) {
      throw Error(GAPCAM_INTERNAL, format("Cannot compile the kernels with %s: %s: %s", options[0],
                                          nvrtc_.nvrtcGetErrorString(result), log().c_str()));
    }
    size_t bytes = 0;
    require(nvrtc_.nvrtcGetCUBINSize(program_, &bytes));
    std::string image(bytes, '\0');
    require(nvrtc_.nvrtcGetCUBIN(program_, image.data()));
    return image;
  }

 private:
  // The first lines of what the compiler says.
  std::string log() {
    size_t bytes = 0;
    if (nvrtc_.nvrtcGetProgramLogSize(program_, &bytes) != 0 || bytes == 0) return "no log";
    std::string text(bytes, '\0');
    nvrtc_.nvrtcGetProgramLog(program_, text.data());
    return text.substr(0, 600);
  }

  void require(nvrtc::Result result) {
    if (result == 0) return;
    throw Error(GAPCAM_INTERNAL,
                format("Cannot compile the kernels: %s", nvrtc_.nvrtcGetErrorString(result)));
  }

  const nvrtc::Functions &nvrtc_;
  nvrtc::Program program_ = nullptr;
};

}  // namespace

std::string compile_kernels(const Libraries &libraries, int capability, bool use_cache) {
  const int architecture = choose_architecture(libraries, capability);
  const std::string target = format("--gpu-architecture=sm_%d", architecture);
  // Without contraction sums are those of the CPU; the kernels wait for memory anyway.
  const std::vector<const char *> options = {target.c_str(), "--std=c++17", "--fmad=false"};
  uint64_t hash = hash_text(libraries.nvrtc_version);
  for (const char *option : options) hash = hash_text(option, hash);
  for (const KernelFile &file : kernel_files) hash = hash_text(file.text, hash);
  const std::string name =
      format("kernels-%016llx-sm_%d.bin", static_cast<unsigned long long>(hash), architecture);
  std::string image = use_cache ? read_sealed(name) : "";
  if (!image.empty()) return image;
  image = Program(libraries.nvrtc).compile(options);
  if (use_cache) write_sealed(name, image);
  return image;
}

KernelModule::KernelModule(const Libraries &libraries, int capability) : libraries_(libraries) {
  const std::string image = compile_kernels(libraries, capability);
  check(libraries, libraries.driver.cuModuleLoadData(&module_, image.data()), "load the kernels");
  try {
#define GAPCAM_FIND(name, types)                                                                  \
  check(libraries, libraries.driver.cuModuleGetFunction(&kernels_.name.function, module_, #name), \
        "find the kernel " #name);
    GAPCAM_KERNELS(GAPCAM_FIND)
#undef GAPCAM_FIND
  } catch (...) {
    libraries.driver.cuModuleUnload(module_);
    throw;
  }
}

KernelModule::~KernelModule() { libraries_.driver.cuModuleUnload(module_); }

}  // namespace gapcam::cuda
