// NVIDIA's libraries, opened when they are first needed and never closed.
#pragma once

#include <string>
#include <vector>

#include "api/cublas.h"
#include "api/cudnn.h"
#include "api/driver.h"
#include "api/nvrtc.h"

namespace gapcam::cuda {

// One library, as doctor shows it.
struct LibraryReport {
  std::string name;     // "libcudnn.so.9"
  std::string path;     // "" if none was found
  std::string version;  // "9.24.0"
  std::string problem;  // why it cannot be used; "" if it can
};

struct Libraries {
  driver::Functions driver;
  nvrtc::Functions nvrtc;
  cublas::Functions cublas;
  cudnn::Functions cudnn;
  int driver_version = 0;  // 13000: CUDA 13.0
  int cuda_major = 0;      // of the libraries
  size_t cudnn_version = 0;
  std::string nvrtc_version;
  std::vector<LibraryReport> reports;
};

// Opens all libraries. Where one cannot be used, the first problem is `problem` and libraries
// after it may be missing too.
struct OpenedLibraries {
  Libraries libraries;
  std::string problem;  // one sentence; "" if all are there
};
const OpenedLibraries &opened_libraries();

// As opened_libraries(), or throws GAPCAM_DEVICE_UNAVAILABLE with the first problem.
const Libraries &libraries();

// Throws GAPCAM_DEVICE_FAILED (or GAPCAM_OUT_OF_MEMORY) unless `result` is 0. `action` completes
// "Cannot ...".
void check(const Libraries &libraries, driver::Result result, const char *action);

// "out of memory (CUDA_ERROR_OUT_OF_MEMORY)"
std::string describe(const driver::Functions &driver, driver::Result result);

}  // namespace gapcam::cuda
