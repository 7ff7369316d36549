// What native/cuda/kernels/platform.h takes when the kernels are compiled for the host.
#pragma once

#include <math.h>
#include <stdint.h>

namespace cudasim {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};
// Of the thread that runs; see launch.cpp.
extern Index thread_index, block_index, block_size, grid_size;
// Returns once all threads of the block have called it.
void synchronise_threads();

}  // namespace cudasim

#define threadIdx ::cudasim::thread_index
#define blockIdx ::cudasim::block_index
#define blockDim ::cudasim::block_size
#define gridDim ::cudasim::grid_size

#define GAPCAM_KERNEL extern "C" void
#define GAPCAM_DEVICE inline
// Blocks run one after another, so one copy serves them all.
#define GAPCAM_SHARED static
#define GAPCAM_SYNCHRONISE() ::cudasim::synchronise_threads()
#define GAPCAM_UNROLL
#define GAPCAM_NO_UNROLL
