// How a window moves over a map. Uses nothing, so that kernels may include it.
#pragma once

namespace gapcam {

struct Window2d {
  int kernel_height = 1, kernel_width = 1;
  int stride_height = 1, stride_width = 1;
  int padding_height = 0, padding_width = 0;

  bool is(int kernel, int stride, int padding) const {
    return kernel_height == kernel && kernel_width == kernel && stride_height == stride &&
           stride_width == stride && padding_height == padding && padding_width == padding;
  }
};

}  // namespace gapcam
