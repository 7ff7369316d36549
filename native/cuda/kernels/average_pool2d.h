// Averages over windows. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"
#include "layout.h"
#include "platform.h"
#include "pool.h"

namespace gapcam::cuda {

// 1 / the pixels that the window of output pixel (oh, ow) divides by.
GAPCAM_DEVICE float average_factor(const PoolShape &s, int oh, int ow, int count_include_pad) {
  const int rows = averaged_pixels(oh * s.stride_height - s.padding_height, s.kernel_height,
                                   s.padding_bottom, s.height, count_include_pad);
  const int columns = averaged_pixels(ow * s.stride_width - s.padding_width, s.kernel_width,
                                      s.padding_right, s.width, count_include_pad);
  return 1.0f / (float)((int64_t)rows * columns);
}

template <class T>
GAPCAM_DEVICE void average_pool2d_map(const T *x, T *y, const PoolShape &s, int count_include_pad) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.channels / lanes;
  const int64_t i = thread_index();
  if (i >= (int64_t)s.batch * s.output_height * s.output_width * groups) return;
  const GroupPosition at = group_position(i, s.output_height, s.output_width, groups);
  const int64_t n = at.image;
  const int oh = at.row, ow = at.column, g = at.group;
  float sum[lanes];
  for (int l = 0; l < lanes; l++) sum[l] = 0.0f;
  for (int kh = 0; kh < s.kernel_height; kh++) {
    const int h = oh * s.stride_height - s.padding_height + kh;
    if (h < 0 || h >= s.height) continue;
    for (int kw = 0; kw < s.kernel_width; kw++) {
      const int w = ow * s.stride_width - s.padding_width + kw;
      if (w < 0 || w >= s.width) continue;
      const Group<T> v = load(x, ((n * s.height + h) * s.width + w) * groups + g);
      for (int l = 0; l < lanes; l++) sum[l] += to_float(v.lane[l]);
    }
  }
  const float factor = average_factor(s, oh, ow, count_include_pad);
  Group<T> out;
  for (int l = 0; l < lanes; l++) from_float(sum[l] * factor, &out.lane[l]);
  store(y, i, out);
}

// Each input pixel gathers from the windows that hold it.
template <class T>
GAPCAM_DEVICE void average_pool2d_backward_map(const T *d_y, T *d_x, const PoolShape &s,
                                               int count_include_pad) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.channels / lanes;
  const int64_t i = thread_index();
  if (i >= (int64_t)s.batch * s.height * s.width * groups) return;
  const GroupPosition at = group_position(i, s.height, s.width, groups);
  const int64_t n = at.image;
  const int h = at.row, w = at.column, g = at.group;
  float sum[lanes];
  for (int l = 0; l < lanes; l++) sum[l] = 0.0f;
  // Windows oh with oh * stride - padding <= h < oh * stride - padding + kernel.
  const int down = h + s.padding_height, across = w + s.padding_width;
  const int first_h = first_window(down, s.kernel_height, s.stride_height);
  const int first_w = first_window(across, s.kernel_width, s.stride_width);
  for (int oh = first_h; oh < s.output_height && oh * s.stride_height <= down; oh++) {
    for (int ow = first_w; ow < s.output_width && ow * s.stride_width <= across; ow++) {
      const Group<T> d = load(d_y, ((n * s.output_height + oh) * s.output_width + ow) * groups + g);
      const float factor = average_factor(s, oh, ow, count_include_pad);
      for (int l = 0; l < lanes; l++) sum[l] += to_float(d.lane[l]) * factor;
    }
  }
  Group<T> out;
  for (int l = 0; l < lanes; l++) from_float(sum[l], &out.lane[l]);
  store(d_x, i, out);
}

#define GAPCAM_AVERAGE_POOL2D(type, T)                                                        \
  GAPCAM_KERNEL average_pool2d_##type(const T *x, T *y, PoolShape s, int count_include_pad) { \
    average_pool2d_map(x, y, s, count_include_pad);                                           \
  }                                                                                           \
  GAPCAM_KERNEL average_pool2d_backward_##type(const T *d_y, T *d_x, PoolShape s,             \
                                               int count_include_pad) {                       \
    average_pool2d_backward_map(d_y, d_x, s, count_include_pad);                              \
  }
GAPCAM_AVERAGE_POOL2D(f32, float)
GAPCAM_AVERAGE_POOL2D(bf16, Bf16)

}  // namespace gapcam::cuda
