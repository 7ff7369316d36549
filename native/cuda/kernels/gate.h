// Maps times maps, and times gates [N, C, 1, 1]. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"

namespace gapcam::cuda {

// Of what is no map.
GAPCAM_KERNEL multiply_elements(const float *a, const float *b, float *y, int64_t count) {
  const int64_t i = thread_index();
  if (i < count) y[i] = a[i] * b[i];
}

// Of what is no map.
GAPCAM_KERNEL divide_elements(const float *a, const float *b, float *y, int64_t count) {
  const int64_t i = thread_index();
  if (i < count) y[i] = quotient(a[i], b[i]);
}

// y may be x.
template <class T>
GAPCAM_DEVICE void multiply_gate_map(const T *x, const T *gate, T *y, int64_t groups, int pixels,
                                     int channel_groups) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  Group<T> v = load(x, i);
  const int64_t n = i / channel_groups / pixels;
  const Group<T> g = load(gate, n * channel_groups + i % channel_groups);
  for (int l = 0; l < Lanes<T>::count; l++) {
    from_float(to_float(v.lane[l]) * to_float(g.lane[l]), &v.lane[l]);
  }
  store(y, i, v);
}

// The sum over an image's pixels of d_y * x. A block takes one image and `columns` groups of
// channels; its rows of threads share the pixels.
template <class T>
GAPCAM_DEVICE void gate_gradient_map(const T *d_y, const T *x, T *d_gate, int pixels,
                                     int channel_groups, int columns) {
  enum { lanes = Lanes<T>::count };
  GAPCAM_SHARED float shared[block_threads][lanes];
  const int rows = block_threads / columns;
  const int column = (int)threadIdx.x % columns, row = (int)threadIdx.x / columns;
  const int g = (int)blockIdx.x * columns + column;
  const int64_t n = blockIdx.y;
  float sum[lanes];
  for (int l = 0; l < lanes; l++) sum[l] = 0.0f;
  if (g < channel_groups) {
    for (int p = row; p < pixels; p += rows) {
      const int64_t i = (n * pixels + p) * channel_groups + g;
      const Group<T> d = load(d_y, i), v = load(x, i);
      for (int l = 0; l < lanes; l++) sum[l] += to_float(d.lane[l]) * to_float(v.lane[l]);
    }
  }
  for (int l = 0; l < lanes; l++) shared[threadIdx.x][l] = sum[l];
  GAPCAM_SYNCHRONISE();
  if (row != 0 || g >= channel_groups) return;
  Group<T> out;
  for (int l = 0; l < lanes; l++) {
    double total = 0.0;
    for (int r = 0; r < rows; r++) total += (double)shared[r * columns + column][l];
    from_float((float)total, &out.lane[l]);
  }
  store(d_gate, n * channel_groups + g, out);
}

#define GAPCAM_GATE(type, T)                                                                      \
  GAPCAM_KERNEL multiply_##type(const T *a, const T *b, T *y, int64_t groups) {                   \
    combine_maps(a, b, y, groups, [](float v, float w) { return v * w; });                        \
  }                                                                                               \
  GAPCAM_KERNEL divide_##type(const T *a, const T *b, T *y, int64_t groups) {                     \
    combine_maps(a, b, y, groups, [](float v, float w) { return quotient(v, w); });               \
  }                                                                                               \
  GAPCAM_KERNEL multiply_gate_##type(const T *x, const T *gate, T *y, int64_t groups, int pixels, \
                                     int channel_groups) {                                        \
    multiply_gate_map(x, gate, y, groups, pixels, channel_groups);                                \
  }                                                                                               \
  GAPCAM_KERNEL gate_gradient_##type(const T *d_y, const T *x, T *d_gate, int pixels,             \
                                     int channel_groups, int columns) {                           \
    gate_gradient_map(d_y, x, d_gate, pixels, channel_groups, columns);                           \
  }
GAPCAM_GATE(f32, float)
GAPCAM_GATE(bf16, Bf16)

}  // namespace gapcam::cuda
