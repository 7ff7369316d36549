// NCCL, opened when it is needed and never closed. One GPU trains without it.
#pragma once

#include <string>

#include "api/nccl.h"

namespace gapcam::cuda {

struct NcclLibrary {
  nccl::Functions functions;
  int version = 0;      // 23007: 2.30.7
  std::string path;     // what was opened
  std::string problem;  // why it cannot be used; "" if it can
};

// Looks where GAPCAM_NCCL_LIBRARY says; else where NVIDIA's other libraries may lie.
const NcclLibrary &nccl_library();

// "2.30.7"
std::string nccl_version_text(int version);

}  // namespace gapcam::cuda
