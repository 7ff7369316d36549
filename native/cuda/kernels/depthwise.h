// Convolutions of each channel with a filter of its own, which wait for memory: a thread takes a
// group of channels at a strip of neighbouring pixels, and what they read of others is in the
// cache. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"
#include "sums.h"

namespace gapcam::cuda {

// The block's channels' weights, tap after tap, with 0 for channels that only fill up.
template <class T>
GAPCAM_DEVICE const float *load_weights(const float *weight, const DirectShape &s, int first,
                                        int count) {
  GAPCAM_SHARED float shared[depthwise_weights];
  const int taps = s.kernel_height * s.kernel_width;
  for (int i = (int)threadIdx.x; i < count * taps; i += block_threads) {
    const int c = i / taps, tap = i - c * taps;
    shared[tap * count + c] =
        first + c < s.inputs ? weight[(int64_t)(first + c) * taps + tap] : 0.0f;
  }
  GAPCAM_SYNCHRONISE();
  return shared;
}

// Where a thread's strips lie: rows of `columns` threads take neighbouring groups of channels.
struct Strips {
  int group, local, row, rows, strips_a_row, block;
  int64_t count;
  GAPCAM_DEVICE Strips(int batch, int height, int width, int groups, int columns) {
    const int blocks = (groups + columns - 1) / columns;
    rows = block_threads / columns;
    row = (int)threadIdx.x / columns;
    local = (int)threadIdx.x % columns;
    group = (int)(blockIdx.x % blocks) * columns + local;
    block = (int)(blockIdx.x / blocks);
    strips_a_row = (width + strip_pixels - 1) / strip_pixels;
    count = (int64_t)batch * height * strips_a_row;
  }
  GAPCAM_DEVICE int64_t strip(int k) const {
    return ((int64_t)block * strips_each + k) * rows + row;
  }
};

template <class T>
GAPCAM_DEVICE void add_products(const Group<T> &v, const float *w, float *sum) {
  GAPCAM_UNROLL
  for (int l = 0; l < Lanes<T>::count; l++) sum[l] = fmaf(to_float(v.lane[l]), w[l], sum[l]);
}

// Operands as direct_forward() has them.
template <class T>
GAPCAM_DEVICE void depthwise_forward(const T *x, const float *weight, const float *bias,
                                     const T *added, T *y, const DirectShape &s, int columns,
                                     int kind, float a, float b) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.stored_outputs / lanes, all = columns * lanes;
  const Strips strips(s.batch, s.output_height, s.output_width, groups, columns);
  const float *weights =
      load_weights<T>(weight, s, (strips.group - strips.local) * lanes, all) + strips.local * lanes;
  if (strips.group >= groups) return;
  const int c = strips.group * lanes;
  for (int each = 0; each < strips_each; each++) {
    const int64_t strip = strips.strip(each);
    if (strip >= strips.count) return;
    const int first = (int)(strip % strips.strips_a_row) * strip_pixels;
    const int64_t line = strip / strips.strips_a_row;
    const int oh = (int)(line % s.output_height);
    const int64_t n = line / s.output_height;
    float sum[strip_pixels][lanes];
    GAPCAM_UNROLL
    for (int q = 0; q < strip_pixels; q++) {
      for (int l = 0; l < lanes; l++) sum[q][l] = bias && c + l < s.outputs ? bias[c + l] : 0.0f;
    }
    for (int k = 0; k < s.kernel_height; k++) {
      const int ih = oh * s.stride_height - s.padding_height + k * s.dilation_height;
      if (ih < 0 || ih >= s.height) continue;
      const int64_t from = (n * s.height + ih) * s.width;
      for (int j = 0; j < s.kernel_width; j++) {
        const float *w = weights + (k * s.kernel_width + j) * all;
        GAPCAM_UNROLL
        for (int q = 0; q < strip_pixels; q++) {
          const int iw = (first + q) * s.stride_width - s.padding_width + j * s.dilation_width;
          if (iw < 0 || iw >= s.width) continue;
          add_products(load(x, (from + iw) * groups + strips.group), w, sum[q]);
        }
      }
    }
    GAPCAM_UNROLL
    for (int q = 0; q < strip_pixels; q++) {
      if (first + q >= s.output_width) break;
      const int64_t to = (line * s.output_width + first + q) * groups + strips.group;
      Group<T> made, other;
      if (added) other = load(added, to);
      for (int l = 0; l < lanes; l++) {
        if (added) sum[q][l] += to_float(other.lane[l]);
        from_float(c + l < s.outputs ? activate(kind, a, b, sum[q][l]) : 0.0f, &made.lane[l]);
      }
      store(y, to, made);
    }
  }
}

// Operands as direct_backward_data() has them.
template <class T>
GAPCAM_DEVICE void depthwise_backward_data(const T *d_y, const float *weight, const T *added,
                                           const T *made, T *d_x, const DirectShape &s, int columns,
                                           float slope) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.stored_inputs / lanes, all = columns * lanes;
  const Strips strips(s.batch, s.height, s.width, groups, columns);
  const float *weights =
      load_weights<T>(weight, s, (strips.group - strips.local) * lanes, all) + strips.local * lanes;
  if (strips.group >= groups) return;
  for (int each = 0; each < strips_each; each++) {
    const int64_t strip = strips.strip(each);
    if (strip >= strips.count) return;
    const int first = (int)(strip % strips.strips_a_row) * strip_pixels;
    const int64_t line = strip / strips.strips_a_row;
    const int ih = (int)(line % s.height);
    const int64_t n = line / s.height;
    float sum[strip_pixels][lanes];
    GAPCAM_UNROLL
    for (int q = 0; q < strip_pixels; q++) {
      for (int l = 0; l < lanes; l++) sum[q][l] = 0.0f;
    }
    for (int k = 0; k < s.kernel_height; k++) {
      const int down = ih + s.padding_height - k * s.dilation_height;
      const int oh = down / s.stride_height;
      if (down < 0 || down % s.stride_height != 0 || oh >= s.output_height) continue;
      const int64_t from = (n * s.output_height + oh) * s.output_width;
      for (int j = 0; j < s.kernel_width; j++) {
        const float *w = weights + (k * s.kernel_width + j) * all;
        GAPCAM_UNROLL
        for (int q = 0; q < strip_pixels; q++) {
          const int right = first + q + s.padding_width - j * s.dilation_width;
          const int ow = right / s.stride_width;
          if (right < 0 || right % s.stride_width != 0 || ow >= s.output_width) continue;
          add_products(load(d_y, (from + ow) * groups + strips.group), w, sum[q]);
        }
      }
    }
    GAPCAM_UNROLL
    for (int q = 0; q < strip_pixels; q++) {
      if (first + q >= s.width) break;
      const int64_t to = (line * s.width + first + q) * groups + strips.group;
      Group<T> out, other, known;
      if (added) other = load(added, to);
      if (made) known = load(made, to);
      for (int l = 0; l < lanes; l++) {
        if (added) sum[q][l] += to_float(other.lane[l]);
        if (made) sum[q][l] = leaky_relu_gradient(to_float(known.lane[l]), sum[q][l], slope);
        from_float(sum[q][l], &out.lane[l]);
      }
      store(d_x, to, out);
    }
  }
}

// partial[slice][tap][stored_channels], for the taps of one row of the filter, which blocks share
// like slices. At most Row of them.

template <class T, int Row>
GAPCAM_DEVICE void depthwise_backward_filter(const T *x, const T *d_y, float *partial,
                                             const DirectShape &s, int slices, int columns) {
  enum { lanes = Lanes<T>::count };
  GAPCAM_SHARED float shared[block_threads][lanes];
  const int groups = s.stored_inputs / lanes, rows = block_threads / columns;
  const int row = (int)threadIdx.x / columns;
  const int g = (int)blockIdx.x * columns + (int)threadIdx.x % columns;
  const int slice = (int)blockIdx.y % slices, k = (int)blockIdx.y / slices;
  float sum[Row][lanes];
  for (int j = 0; j < Row; j++) {
    for (int l = 0; l < lanes; l++) sum[j][l] = 0.0f;
  }
  const SliceChannel own = slice_channel<T>(s.stored_inputs, columns);
  const int64_t positions = (int64_t)s.batch * s.output_height * s.output_width;
  for (int64_t p = (int64_t)slice * rows + row; g < groups && p < positions;
       p += (int64_t)slices * rows) {
    const int ow = (int)(p % s.output_width);
    const int64_t line = p / s.output_width;
    const int ih =
        (int)(line % s.output_height) * s.stride_height - s.padding_height + k * s.dilation_height;
    if (ih < 0 || ih >= s.height) continue;
    const int64_t from = (line / s.output_height * s.height + ih) * s.width;
    const Group<T> d = load(d_y, p * groups + g);
    float gradient[lanes];
    for (int l = 0; l < lanes; l++) gradient[l] = to_float(d.lane[l]);
    GAPCAM_UNROLL
    for (int j = 0; j < Row; j++) {
      const int iw = ow * s.stride_width - s.padding_width + j * s.dilation_width;
      if (j >= s.kernel_width || iw < 0 || iw >= s.width) continue;
      add_products(load(x, (from + iw) * groups + g), gradient, sum[j]);
    }
  }
  GAPCAM_UNROLL
  for (int j = 0; j < Row; j++) {
    if (j >= s.kernel_width) break;
    for (int l = 0; l < lanes; l++) shared[threadIdx.x][l] = sum[j][l];
    GAPCAM_SYNCHRONISE();
    if (own.filled) {
      const int64_t tap =
          (int64_t)slice * s.kernel_height * s.kernel_width + k * s.kernel_width + j;
      partial[tap * s.stored_inputs + own.channel] = sum_rows_of<T>(shared, own, columns);
    }
    GAPCAM_SYNCHRONISE();
  }
}

// One row of blocks for each tap.
GAPCAM_KERNEL finish_depthwise(const float *partial, float *d_weight, int slices, int channels,
                               int stored_channels) {
  const int taps = (int)gridDim.y, tap = (int)blockIdx.y;
  const double total =
      sum_slices(slices, stored_channels, SliceSum{partial, taps, tap, stored_channels});
  const int c = finish_channel();
  if (finishes() && c < channels) d_weight[(int64_t)c * taps + tap] = (float)total;
}

#define GAPCAM_DEPTHWISE(type, T)                                                                 \
  GAPCAM_KERNEL depthwise_forward_##type(const T *x, const float *weight, const float *bias,      \
                                         const T *added, T *y, DirectShape shape, int columns,    \
                                         int kind, float a, float b) {                            \
    depthwise_forward(x, weight, bias, added, y, shape, columns, kind, a, b);                     \
  }                                                                                               \
  GAPCAM_KERNEL depthwise_backward_data_##type(const T *d_y, const float *weight, const T *added, \
                                               const T *made, T *d_x, DirectShape shape,          \
                                               int columns, float slope) {                        \
    depthwise_backward_data(d_y, weight, added, made, d_x, shape, columns, slope);                \
  }                                                                                               \
  GAPCAM_KERNEL depthwise_backward_filter_##type(const T *x, const T *d_y, float *partial,        \
                                                 DirectShape shape, int slices, int columns) {    \
    depthwise_backward_filter<T, 3>(x, d_y, partial, shape, slices, columns);                     \
  }                                                                                               \
  GAPCAM_KERNEL depthwise_backward_filter_wide_##type(                                            \
      const T *x, const T *d_y, float *partial, DirectShape shape, int slices, int columns) {     \
    depthwise_backward_filter<T, depthwise_row>(x, d_y, partial, shape, slices, columns);         \
  }
GAPCAM_DEPTHWISE(f32, float)
GAPCAM_DEPTHWISE(bf16, Bf16)
#undef GAPCAM_DEPTHWISE

}  // namespace gapcam::cuda
