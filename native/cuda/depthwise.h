// Our own kernels for convolutions of each channel by itself, as a program and who times them start
// them. All is of maps as they are stored.
#pragma once

#include "gpu.h"

namespace gapcam::cuda {

// How threads are arranged to sum over positions, and to write a map that has something of each
// channel; see kernels/sums.h.
struct SumShape {
  int64_t columns = 1, blocks = 1, slices = 1, map_slices = 1, finish_blocks = 1;
  size_t partial_bytes = 0;

  SumShape() = default;
  // Of `values` sums for each of the channels, which lie in groups of `lanes`.
  SumShape(int64_t positions, int64_t stored_channels, int64_t lanes, int64_t values);
};

class Depthwise {
 public:
  using P = driver::Pointer;

  // Whether there are kernels for it.
  static bool serves(const GraphRequest &request);

  // `channels`: without those that only fill up.
  Depthwise(const GraphRequest &request, int64_t channels);

  // What cuDNN's graphs do, and with weights and biases of f32 as the device's tensors have them.
  // bias, added and made may be 0.
  void forward(const Gpu &gpu, P x, P weight, P bias, P added, P y) const;
  void backward_data(const Gpu &gpu, P d_y, P weight, P added, P made, P d_x) const;
  // partial: partial_bytes().
  void backward_filter(const Gpu &gpu, P x, P d_y, P partial, P d_weight) const;
  size_t partial_bytes() const { return sum_.partial_bytes; }

 private:
  int64_t blocks(int64_t height, int64_t width) const;

  DirectShape shape_{};
  SumShape sum_;
  Activation activation_;
  bool bf16_ = false;
  int64_t lanes_ = 1, columns_ = 1;
};

}  // namespace gapcam::cuda
