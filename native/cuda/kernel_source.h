// The text of the kernels, put into the library when it is built.
#pragma once

namespace gapcam::cuda {

struct KernelFile {
  const char *name, *text;
};

// First the kernels themselves, then what they include.
enum { kernel_file_count = 4 };
extern const KernelFile kernel_files[kernel_file_count];

}  // namespace gapcam::cuda
