// The element-wise mathematics, written once: CPU loops and CUDA kernels include this file, so it
// uses nothing but C arithmetic and the functions named below.
#pragma once

#ifdef __CUDACC__
#define GAPCAM_INLINE __host__ __device__ __forceinline__
#else
#include <math.h>
// static: a copy compiled for one instruction set must never serve another translation unit.
#define GAPCAM_INLINE static inline
#endif

namespace gapcam {

GAPCAM_INLINE float leaky_relu(float x, float negative_slope) {
  return x > 0.0f ? x : x * negative_slope;
}

// Needs only the output: a positive slope keeps the sign, and for slope 0 an output of 0 has
// gradient 0, as in PyTorch.
GAPCAM_INLINE float leaky_relu_gradient(float output, float d_output, float negative_slope) {
  return output > 0.0f ? d_output : d_output * negative_slope;
}

// Where output pixel `index` samples the input when resizing `input` pixels to `output`
// (half-pixel centres): the centre and the half width of Pillow's triangle filter.
struct ResizeWindow {
  int first;  // first input pixel
  int count;  // how many
  double centre;
  double scale;  // 1 when enlarging, input / output when shrinking
};

GAPCAM_INLINE ResizeWindow resize_window(int index, int input, int output) {
  ResizeWindow window;
  const double ratio = (double)input / (double)output;
  window.scale = ratio > 1.0 ? ratio : 1.0;
  window.centre = (index + 0.5) * ratio;
  int first = (int)(window.centre - window.scale + 0.5);
  if (first < 0) first = 0;
  int end = (int)(window.centre + window.scale + 0.5);
  if (end > input) end = input;
  window.first = first;
  window.count = end - first;
  return window;
}

// Unnormalised weight of input pixel `window.first + offset`.
GAPCAM_INLINE double resize_weight(const ResizeWindow &window, int offset) {
  double x = (window.first + offset - window.centre + 0.5) / window.scale;
  if (x < 0.0) x = -x;
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Pillow keeps weights as integers with this many fractional bits.
enum { resize_fraction_bits = 22 };

GAPCAM_INLINE int resize_fixed_point(double weight) {
  return (int)(weight * (1 << resize_fraction_bits) + (weight < 0.0 ? -0.5 : 0.5));
}

// `sum` of fixed-point weight * pixel, started at one half: to 8 bits.
GAPCAM_INLINE unsigned char resize_round(int sum) {
  const int value = sum >> resize_fraction_bits;
  return (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
}

GAPCAM_INLINE float normalise_pixel(unsigned char pixel, float mean, float deviation) {
  return ((float)pixel / 255.0f - mean) / deviation;
}

// settings: see gapcam_program_adam. The order of operations is PyTorch's.
GAPCAM_INLINE void adam_update(float *parameter, float *first, float *second, float gradient,
                               const float *settings) {
  float p = *parameter * settings[5];
  gradient += settings[4] * p;
  const float m = *first + settings[0] * (gradient - *first);
  const float v = settings[1] * *second + settings[2] * gradient * gradient;
  *first = m;
  *second = v;
  *parameter = p - settings[6] * (m / (sqrtf(v) / settings[7] + settings[3]));
}

// settings: see gapcam_program_sgd.
GAPCAM_INLINE void sgd_update(float *parameter, float *buffer, float gradient,
                              const float *settings) {
  const float momentum = settings[1];
  gradient += settings[3] * *parameter;
  if (momentum != 0.0f) {
    const float b = settings[5] != 0.0f ? gradient : momentum * *buffer + settings[2] * gradient;
    *buffer = b;
    gradient = settings[4] != 0.0f ? gradient + momentum * b : b;
  }
  *parameter -= settings[0] * gradient;
}

}  // namespace gapcam
