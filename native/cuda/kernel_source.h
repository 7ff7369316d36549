// The text of the kernels, put into the library when it is built.
#pragma once

#include <vector>

namespace gapcam::cuda {

struct KernelFile {
  const char *name, *text;
};

// First the kernels themselves, then what they include.
extern const std::vector<KernelFile> kernel_files;

}  // namespace gapcam::cuda
