// The kernels, compiled for one architecture and loaded.
#pragma once

#include <string>

#include "kernels/layout.h"
#include "kernels/list.h"
#include "libraries.h"

namespace gapcam::cuda {

// The machine code of all kernels for a compute capability, as 90 for sm_90: from the cache, or by
// NVRTC. Throws GAPCAM_UNSUPPORTED if NVRTC does not know the architecture.
std::string compile_kernels(const Libraries &libraries, int capability, bool use_cache = true);

// A kernel and the types of its parameters.
template <class... Parameters>
struct Kernel {
  driver::Function function = nullptr;
};

template <class Signature>
struct KernelOf;
template <class... Parameters>
struct KernelOf<void(Parameters...)> {
  using type = Kernel<Parameters...>;
};

struct Kernels {
  using P = driver::Pointer;
#define GAPCAM_MEMBER(name, types) KernelOf<void types>::type name;
  GAPCAM_KERNELS(GAPCAM_MEMBER)
#undef GAPCAM_MEMBER
};

// Loads them into the current context.
class KernelModule {
 public:
  KernelModule(const Libraries &libraries, int capability);
  ~KernelModule();
  KernelModule(const KernelModule &) = delete;
  KernelModule &operator=(const KernelModule &) = delete;
  const Kernels &kernels() const { return kernels_; }

 private:
  const Libraries &libraries_;
  driver::Module module_ = nullptr;
  Kernels kernels_;
};

}  // namespace gapcam::cuda
