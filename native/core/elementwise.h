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

// x * slope; slope 0 gives 0 for infinity too, as PyTorch's ReLU does.
GAPCAM_INLINE float below_zero(float x, float negative_slope) {
  return negative_slope == 0.0f ? 0.0f : x * negative_slope;
}

// The larger of x and what x below zero becomes, since 0 <= slope <= 1. In this order NaN stays.
GAPCAM_INLINE float leaky_relu(float x, float negative_slope) {
  const float low = below_zero(x, negative_slope);
  return low > x ? low : x;
}

// Needs only the output: a positive slope keeps the sign, and for slope 0 an output of 0 has
// gradient 0, as in PyTorch. An output of NaN lets the gradient through.
GAPCAM_INLINE float leaky_relu_gradient(float output, float d_output, float negative_slope) {
  return output <= 0.0f ? below_zero(d_output, negative_slope) : d_output;
}

// As gapcam_activation numbers them.
enum {
  activation_identity = 0,
  activation_leaky_relu = 1,
  activation_clip = 2,
  activation_sigmoid = 3,
  activation_silu = 4,
  activation_hard_swish = 5,
  activation_hard_sigmoid = 6,
  activation_gelu = 7
};

GAPCAM_INLINE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// The standard normal distribution up to x.
GAPCAM_INLINE float normal_cdf(float x) { return 0.5f * (1.0f + erff(x * 0.70710678f)); }

GAPCAM_INLINE float activate(int kind, float a, float b, float x) {
  switch (kind) {
    case activation_leaky_relu:
      return leaky_relu(x, a);
    case activation_clip:
      return x < a ? a : x > b ? b : x;
    case activation_sigmoid:
      return sigmoid(x);
    case activation_silu:
      return x * sigmoid(x);
    case activation_hard_swish:
      // Below, 0 times minus infinity is none, as in PyTorch.
      return x >= 3.0f ? x : x <= -3.0f ? x * 0.0f : x * (x + 3.0f) / 6.0f;
    case activation_hard_sigmoid:
      return x <= -3.0f ? 0.0f : x >= 3.0f ? 1.0f : (x + 3.0f) / 6.0f;
    case activation_gelu:
      return x * normal_cdf(x);
    default:
      return x;
  }
}

// `known` is what the activation made, or for SiLU, hard swish and GELU what it took. Where that is
// not a number, the gradient is let through or is none.
GAPCAM_INLINE float activation_gradient(int kind, float a, float b, float known, float d_output) {
  switch (kind) {
    case activation_leaky_relu:
      return leaky_relu_gradient(known, d_output, a);
    case activation_clip:
      return known <= a || known >= b ? 0.0f : d_output;
    case activation_sigmoid:
      return d_output * known * (1.0f - known);
    case activation_silu: {
      const float s = sigmoid(known);
      return d_output * (s * (1.0f + known * (1.0f - s)));
    }
    case activation_hard_swish:
      return known <= -3.0f ? 0.0f : known >= 3.0f ? d_output : d_output * (known / 3.0f + 0.5f);
    case activation_hard_sigmoid:
      return known <= 0.0f || known >= 1.0f ? 0.0f : d_output / 6.0f;
    case activation_gelu:
      return d_output * (normal_cdf(known) + known * (expf(-0.5f * known * known) * 0.39894228f));
    default:
      return d_output;
  }
}

// By how many pixels along one direction an average over the window that begins at `start` divides:
// padding counts, of which there is so much behind the map, or the pixels that there are.
GAPCAM_INLINE int averaged_pixels(int start, int kernel, int padding, int size,
                                  int count_include_pad) {
  const int limit = count_include_pad ? size + padding : size;
  const int end = start + kernel < limit ? start + kernel : limit;
  return end - (start < 0 && !count_include_pad ? 0 : start);
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

// A batch normalisation with fixed statistics as a factor on the weights of the convolution before
// it and as that convolution's bias.
GAPCAM_INLINE double fold_factor(float weight, float variance, float epsilon) {
  return (double)weight / sqrt((double)variance + (double)epsilon);
}
GAPCAM_INLINE float fold_bias(double factor, float convolution_bias, float mean, float bias) {
  return (float)(((double)convolution_bias - (double)mean) * factor + (double)bias);
}

// Labels that count; -1 is left out, every other one makes the loss NaN.
GAPCAM_INLINE bool label_counts(int label, int classes) { return label >= 0 && label < classes; }

// The softmax cross-entropy of one row of logits whose label counts, and its first maximum; -1, no
// class at all, where the softmax is not a number.
GAPCAM_INLINE double cross_entropy_row(const float *row, int classes, int label, float smoothing,
                                       int *first_maximum) {
  int best = 0;
  for (int c = 1; c < classes; c++) best = row[c] > row[best] ? c : best;
  double total = 0.0, mean = 0.0;
  for (int c = 0; c < classes; c++) {
    total += exp((double)row[c] - (double)row[best]);
    mean += (double)row[c];
  }
  mean /= (double)classes;
  *first_maximum = total == total ? best : -1;
  const double loss =
      log(total) + (double)row[best] - (1.0 - (double)smoothing) * (double)row[label];
  // Without smoothing a logit of minus infinity costs nothing; 0 times it would be NaN.
  return smoothing == 0.0f ? loss : loss - (double)smoothing * mean;
}

// Its gradient, times `scale`.
GAPCAM_INLINE void cross_entropy_row_gradient(const float *row, int classes, int label,
                                              float smoothing, double scale, float *gradient) {
  if (!label_counts(label, classes)) {
    for (int c = 0; c < classes; c++) gradient[c] = 0.0f;
    return;
  }
  double largest = (double)row[0], total = 0.0;
  for (int c = 1; c < classes; c++) largest = (double)row[c] > largest ? (double)row[c] : largest;
  for (int c = 0; c < classes; c++) total += exp((double)row[c] - largest);
  for (int c = 0; c < classes; c++) {
    const double target =
        (double)smoothing / (double)classes + (c == label ? 1.0 - (double)smoothing : 0.0);
    gradient[c] = (float)(scale * (exp((double)row[c] - largest) / total - target));
  }
}

// Adds a run to `metrics`; see gapcam_program_cross_entropy.
GAPCAM_INLINE void count_loss(float *metrics, float loss, int correct, int counted) {
  const bool is_nan = loss != loss;
  metrics[0] += loss;
  metrics[1] += 1.0f;
  metrics[2] += (float)correct;
  metrics[3] += (float)counted;
  if (loss > metrics[4] || is_nan) metrics[4] = loss;
  if (is_nan || loss - loss != 0.0f) metrics[5] += 1.0f;
  metrics[6] = loss;
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
