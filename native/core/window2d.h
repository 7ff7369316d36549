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

// A convolution's: the padding that Window2d tells of is above and left of the map.
struct ConvolutionWindow : Window2d {
  int padding_bottom = 0, padding_right = 0;
  int dilation_height = 1, dilation_width = 1;

  // Rows and columns from a kernel's first to its last.
  int reach_height() const { return (kernel_height - 1) * dilation_height + 1; }
  int reach_width() const { return (kernel_width - 1) * dilation_width + 1; }
  bool is_dilated() const { return dilation_height != 1 || dilation_width != 1; }
  bool is_symmetric() const {
    return padding_bottom == padding_height && padding_right == padding_width;
  }
};

}  // namespace gapcam
