// Runs kernels that were compiled for the host.
#pragma once

#include <cstddef>
#include <vector>

#include "host_platform.h"

namespace cudasim {

struct HostKernel {
  const char *name;
  std::vector<size_t> parameter_bytes;
  void (*call)(void **arguments);
};

// null if there is none of that name.
const HostKernel *find_kernel(const char *name);

void run_kernel(const HostKernel &kernel, Index grid, Index block, void **arguments);

}  // namespace cudasim
