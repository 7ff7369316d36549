// Pooling. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"

namespace gapcam::cuda {

// The first window that holds a pixel, counted from where the padding begins.
GAPCAM_DEVICE int first_window(int pixel, int kernel, int stride) {
  const int first = pixel - kernel + 1;
  return first > 0 ? (first + stride - 1) / stride : 0;
}

// argmax (may be null) holds positions within the window.
template <class T, class Index>
GAPCAM_DEVICE void max_pool_map(const T *x, T *y, Index *argmax, const PoolShape &s) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.channels / lanes;
  const int64_t i = thread_index();
  if (i >= (int64_t)s.batch * s.output_height * s.output_width * groups) return;
  const GroupPosition at = group_position(i, s.output_height, s.output_width, groups);
  const int64_t n = at.image;
  const int oh = at.row, ow = at.column, g = at.group;
  const int top = oh * s.stride_height - s.padding_height;
  const int left = ow * s.stride_width - s.padding_width;
  Group<T> best;
  int where[lanes] = {};
  bool first = true;
  for (int kh = 0; kh < s.kernel_height; kh++) {
    const int h = top + kh;
    if (h < 0 || h >= s.height) continue;
    for (int kw = 0; kw < s.kernel_width; kw++) {
      const int w = left + kw;
      if (w < 0 || w >= s.width) continue;
      const Group<T> v = load(x, ((n * s.height + h) * s.width + w) * groups + g);
      const int position = kh * s.kernel_width + kw;
      for (int l = 0; l < lanes; l++) {
        const float value = to_float(v.lane[l]);
        // As in PyTorch, the first maximum wins and NaN is larger than everything.
        if (first || value > to_float(best.lane[l]) || value != value) {
          best.lane[l] = v.lane[l];
          where[l] = position;
        }
      }
      first = false;
    }
  }
  store(y, i, best);
  if (argmax) {
    IndexGroup<Index, lanes> positions;
    for (int l = 0; l < lanes; l++) positions.lane[l] = (Index)where[l];
    reinterpret_cast<IndexGroup<Index, lanes> *>(argmax)[i] = positions;
  }
}

// The gradient of what was pooled; with slope != 1, before the leaky ReLU that made it, whose sign
// is that of the pooled value. Each input pixel gathers from the windows that hold it.
template <class T, class Index>
GAPCAM_DEVICE void max_pool_backward_map(const T *d_y, const Index *argmax, const T *pooled, T *d_x,
                                         const PoolShape &s, float slope) {
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
      const int position =
          (down - oh * s.stride_height) * s.kernel_width + across - ow * s.stride_width;
      const int64_t o = ((n * s.output_height + oh) * s.output_width + ow) * groups + g;
      const Group<T> d = load(d_y, o);
      Group<T> y;
      if (slope != 1.0f) y = load(pooled, o);
      const auto positions = reinterpret_cast<const IndexGroup<Index, lanes> *>(argmax)[o];
      for (int l = 0; l < lanes; l++) {
        if ((int)positions.lane[l] != position) continue;
        const float gradient = to_float(d.lane[l]);
        sum[l] +=
            slope == 1.0f ? gradient : leaky_relu_gradient(to_float(y.lane[l]), gradient, slope);
      }
    }
  }
  Group<T> out;
  for (int l = 0; l < lanes; l++) from_float(sum[l], &out.lane[l]);
  store(d_x, i, out);
}

// The same where every pixel lies in exactly one window: each window is read once.
template <class T, class Index>
GAPCAM_DEVICE void max_pool_backward_apart_map(const T *d_y, const Index *argmax, const T *pooled,
                                               T *d_x, const PoolShape &s, float slope) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.channels / lanes;
  const int64_t i = thread_index();
  if (i >= (int64_t)s.batch * s.output_height * s.output_width * groups) return;
  const GroupPosition at = group_position(i, s.output_height, s.output_width, groups);
  const Group<T> d = load(d_y, i);
  const auto positions = reinterpret_cast<const IndexGroup<Index, lanes> *>(argmax)[i];
  float gradient[lanes];
  for (int l = 0; l < lanes; l++) gradient[l] = to_float(d.lane[l]);
  if (slope != 1.0f) {
    const Group<T> y = load(pooled, i);
    for (int l = 0; l < lanes; l++) {
      gradient[l] = leaky_relu_gradient(to_float(y.lane[l]), gradient[l], slope);
    }
  }
  const int64_t top = at.image * s.height + at.row * s.stride_height;
  const int64_t corner = (top * s.width + at.column * s.stride_width) * groups + at.group;
  for (int kh = 0; kh < s.kernel_height; kh++) {
    for (int kw = 0; kw < s.kernel_width; kw++) {
      Group<T> out;
      for (int l = 0; l < lanes; l++) {
        const bool here = (int)positions.lane[l] == kh * s.kernel_width + kw;
        from_float(here ? gradient[l] : 0.0f, &out.lane[l]);
      }
      store(d_x, corner + (kh * s.width + kw) * groups, out);
    }
  }
}

#define GAPCAM_POOL(type, T, index, Index)                                                    \
  GAPCAM_KERNEL max_pool_##type##_##index(const T *x, T *y, Index *argmax, PoolShape s) {     \
    max_pool_map(x, y, argmax, s);                                                            \
  }                                                                                           \
  GAPCAM_KERNEL max_pool_backward_##type##_##index(                                           \
      const T *d_y, const Index *argmax, const T *pooled, T *d_x, PoolShape s, float slope) { \
    max_pool_backward_map(d_y, argmax, pooled, d_x, s, slope);                                \
  }                                                                                           \
  GAPCAM_KERNEL max_pool_backward_apart_##type##_##index(                                     \
      const T *d_y, const Index *argmax, const T *pooled, T *d_x, PoolShape s, float slope) { \
    max_pool_backward_apart_map(d_y, argmax, pooled, d_x, s, slope);                          \
  }
GAPCAM_POOL(f32, float, u8, uint8_t)
GAPCAM_POOL(f32, float, i32, int32_t)
GAPCAM_POOL(bf16, Bf16, u8, uint8_t)
GAPCAM_POOL(bf16, Bf16, i32, int32_t)

// Blocks that sum over positions arrange their threads in rows of `columns` (a power of two, at
// most block_threads), one for each group of channels; the rows share the positions.

// y[n, c] = the sum over the pixels of body.weight(pixel) * x, over body.divisor. A block takes one
// image and `columns` groups of channels.
template <class T, class Body>
GAPCAM_DEVICE void sum_pixels(const T *x, float *y, int pixels, int channels, int stored_channels,
                              int columns, const Body &body) {
  enum { lanes = Lanes<T>::count };
  GAPCAM_SHARED float shared[block_threads][lanes];
  const int groups = stored_channels / lanes, rows = block_threads / columns;
  const int column = (int)threadIdx.x % columns, row = (int)threadIdx.x / columns;
  const int g = (int)blockIdx.x * columns + column;
  const int64_t n = blockIdx.y;
  float sum[lanes];
  for (int l = 0; l < lanes; l++) sum[l] = 0.0f;
  if (g < groups) {
    for (int p = row; p < pixels; p += rows) {
      const Group<T> v = load(x, (n * pixels + p) * groups + g);
      const float weight = body.weight(p);
      for (int l = 0; l < lanes; l++) sum[l] += weight * to_float(v.lane[l]);
    }
  }
  for (int l = 0; l < lanes; l++) shared[threadIdx.x][l] = sum[l];
  GAPCAM_SYNCHRONISE();
  if (row != 0 || g >= groups) return;
  for (int l = 0; l < lanes; l++) {
    const int c = g * lanes + l;
    if (c >= channels) continue;
    double total = 0.0;
    for (int r = 0; r < rows; r++) total += (double)shared[r * columns + column][l];
    y[n * channels + c] = (float)(total / body.divisor);
  }
}

struct Mean {
  int divisor;
  GAPCAM_DEVICE float weight(int) const { return 1.0f; }
};
struct Weighted {
  const float *weights;
  int divisor;
  GAPCAM_DEVICE float weight(int pixel) const { return weights[pixel]; }
};

#define GAPCAM_SUM_PIXELS(type, T)                                                         \
  GAPCAM_KERNEL average_pool_##type(const T *x, float *y, int pixels, int channels,        \
                                    int stored_channels, int columns) {                    \
    sum_pixels(x, y, pixels, channels, stored_channels, columns, Mean{pixels});            \
  }                                                                                        \
  GAPCAM_KERNEL spatial_sum_##type(const T *x, const float *weights, float *y, int pixels, \
                                   int channels, int stored_channels, int columns) {       \
    sum_pixels(x, y, pixels, channels, stored_channels, columns, Weighted{weights, 1});    \
  }
GAPCAM_SUM_PIXELS(f32, float)
GAPCAM_SUM_PIXELS(bf16, Bf16)

// With slope != 1, the gradient before the leaky ReLU that made the map x.
template <class T>
GAPCAM_DEVICE void average_pool_backward_map(const float *d_y, const T *x, T *d_x, int64_t groups,
                                             int pixels, int channels, int stored_channels,
                                             float slope) {
  enum { lanes = Lanes<T>::count };
  const int64_t i = thread_index();
  if (i >= groups) return;
  const int channel_groups = stored_channels / lanes;
  const int c = (int)(i % channel_groups) * lanes;
  const int64_t n = i / channel_groups / pixels;
  const float factor = 1.0f / (float)pixels;
  Group<T> v;
  if (slope != 1.0f) v = load(x, i);
  Group<T> out;
  for (int l = 0; l < lanes; l++) {
    float d = c + l < channels ? d_y[n * channels + c + l] * factor : 0.0f;
    if (slope != 1.0f) d = leaky_relu_gradient(to_float(v.lane[l]), d, slope);
    from_float(d, &out.lane[l]);
  }
  store(d_x, i, out);
}
GAPCAM_KERNEL average_pool_backward_f32(const float *d_y, const float *x, float *d_x,
                                        int64_t groups, int pixels, int channels,
                                        int stored_channels, float slope) {
  average_pool_backward_map(d_y, x, d_x, groups, pixels, channels, stored_channels, slope);
}
GAPCAM_KERNEL average_pool_backward_bf16(const float *d_y, const Bf16 *x, Bf16 *d_x, int64_t groups,
                                         int pixels, int channels, int stored_channels,
                                         float slope) {
  average_pool_backward_map(d_y, x, d_x, groups, pixels, channels, stored_channels, slope);
}

}  // namespace gapcam::cuda
