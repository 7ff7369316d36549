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

// 0 where there is nothing to divide by.
GAPCAM_INLINE float quotient(float a, float b) { return b == 0.0f ? 0.0f : a / b; }

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

#ifdef __CUDACC__
GAPCAM_INLINE float exponential(float x) { return expf(x); }
#else
// e^x, off by at most 2 units in the last place (Cephes' polynomial), and infinity above 88.38: in
// arithmetic that becomes vectors, which a call of expf does not. Below -87 it is e^-87.
GAPCAM_INLINE float exponential(float x) {
  const float least = -87.0f, most = 89.0f;
  const float inside = x < least ? least : x > most ? most : x;
  const float round = 12582912.0f;  // 1.5 * 2^23: what is added to it has no fraction
  const float power = (inside * 1.44269504f + round) - round;
  const float r = (inside - power * 0.693359375f) + power * 2.12194440e-4f;
  float sum = 1.9875691500e-4f;
  sum = sum * r + 1.3981999507e-3f;
  sum = sum * r + 8.3334519073e-3f;
  sum = sum * r + 4.1665795894e-2f;
  sum = sum * r + 1.6666665459e-1f;
  sum = sum * r + 5.0000001201e-1f;
  sum = sum * r * r + r + 1.0f;
  const unsigned bits = (unsigned)((int)power + 127) << 23;
  float scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return sum * scale;
}
#endif

GAPCAM_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

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

// One row of a loss: logits of `classes`, and a label or (not null) a target for each class, and
// perhaps a weight for each; see gapcam_program_loss.
struct LossRow {
  const float *logits;
  int classes, label;
  const float *targets, *weights;
  float smoothing;
};
// What a row adds: to the sum, to what that is divided by, and whether its answer is right.
struct LossPart {
  double sum, divisor;
  int counted, correct, invalid;
};

GAPCAM_INLINE void add_loss_part(LossPart *all, const LossPart &part) {
  all->sum += part.sum;
  all->divisor += part.divisor;
  all->counted += part.counted;
  all->correct += part.correct;
  all->invalid |= part.invalid;
}

GAPCAM_INLINE double loss_weight(const LossRow &row, int c) {
  return row.weights ? (double)row.weights[c] : 1.0;
}
GAPCAM_INLINE bool row_counts(const LossRow &row) {
  return row.targets ? row.targets[0] != -1.0f : row.label >= 0 && row.label < row.classes;
}

// Of a softmax: weight times target of a class.
GAPCAM_INLINE double weighted_target(const LossRow &row, int c) {
  const double s = (double)row.smoothing;
  const double target = row.targets ? (double)row.targets[c] : c == row.label ? 1.0 : 0.0;
  return loss_weight(row, c) * ((1.0 - s) * target + s / (double)row.classes);
}

// Threads that share the classes of a row. Team: first() and step() say which a thread takes;
// sum(own) is the sum of what they have, and first_maximum(row, own) of the places that they found
// that of the greatest, the first of equal ones. All of them are told.
template <class Team>
GAPCAM_INLINE int first_maximum(const float *row, int classes, const Team &team) {
  int best = 0;
  for (int c = team.first(); c < classes; c += team.step()) best = row[c] > row[best] ? c : best;
  return team.first_maximum(row, best);
}

template <class Team>
GAPCAM_INLINE LossPart cross_entropy_part(const LossRow &row, const Team &team) {
  LossPart part = {0.0, 0.0, 0, 0, 0};
  if (!row_counts(row)) {
    part.invalid = !row.targets && row.label != -1;
    return part;
  }
  const int best = first_maximum(row.logits, row.classes, team);
  double total = 0.0;
  for (int c = team.first(); c < row.classes; c += team.step()) {
    total += exp((double)row.logits[c] - (double)row.logits[best]);
  }
  total = team.sum(total);
  const double normaliser = log(total);
  for (int c = team.first(); c < row.classes; c += team.step()) {
    const double target = weighted_target(row, c);
    // What is not wanted costs nothing, not even at minus infinity; 0 times that would be NaN.
    if (target == 0.0) continue;
    part.sum += target * (normaliser + ((double)row.logits[best] - (double)row.logits[c]));
  }
  part.sum = team.sum(part.sum);
  // Not a number anywhere makes the softmax none, whatever is wanted.
  if (total != total) part.sum = total;
  part.divisor = row.targets ? 1.0 : loss_weight(row, row.label);
  part.counted = 1;
  const int wanted = row.targets ? first_maximum(row.targets, row.classes, team) : row.label;
  part.correct = total == total && best == wanted;
  return part;
}

// Its gradient, times `scale`.
template <class Team>
GAPCAM_INLINE void cross_entropy_gradient(const LossRow &row, double scale, float *gradient,
                                          const Team &team) {
  if (!row_counts(row)) {
    for (int c = team.first(); c < row.classes; c += team.step()) gradient[c] = 0.0f;
    return;
  }
  const double largest = (double)row.logits[first_maximum(row.logits, row.classes, team)];
  double total = 0.0, wanted = 0.0;
  for (int c = team.first(); c < row.classes; c += team.step()) {
    total += exp((double)row.logits[c] - largest);
    wanted += weighted_target(row, c);
  }
  total = team.sum(total);
  wanted = team.sum(wanted);
  for (int c = team.first(); c < row.classes; c += team.step()) {
    const double share = exp((double)row.logits[c] - largest) / total;
    gradient[c] = (float)(scale * (share * wanted - weighted_target(row, c)));
  }
}

// Of a sigmoid each: a class's target after smoothing.
GAPCAM_INLINE double binary_target(const LossRow &row, int c) {
  const double s = (double)row.smoothing;
  return (1.0 - s) * (double)row.targets[c] + 0.5 * s;
}

// log(1 + exp(x)), without overflow.
GAPCAM_INLINE double softplus(double x) {
  return log1p(exp(x < 0.0 ? x : -x)) + (x < 0.0 ? 0.0 : x);
}

template <class Team>
GAPCAM_INLINE LossPart binary_cross_entropy_part(const LossRow &row, const Team &team) {
  LossPart part = {0.0, 0.0, 0, 0, 0};
  double wrong = 0.0;
  for (int c = team.first(); c < row.classes; c += team.step()) {
    if (row.targets[c] == -1.0f) continue;
    const double x = (double)row.logits[c], t = binary_target(row, c);
    const double there = loss_weight(row, c) * t;
    // As above: what is not wanted costs nothing.
    if (t != 1.0) part.sum += (1.0 - t) * softplus(x);
    if (there != 0.0) part.sum += there * softplus(-x);
    part.divisor += 1.0;
    if (x != x || (x > 0.0) != (row.targets[c] > 0.5f)) wrong += 1.0;
  }
  part.sum = team.sum(part.sum);
  part.divisor = team.sum(part.divisor);
  wrong = team.sum(wrong);
  part.counted = part.divisor > 0.0;
  part.correct = part.counted && wrong == 0.0;
  return part;
}

template <class Team>
GAPCAM_INLINE void binary_cross_entropy_gradient(const LossRow &row, double scale, float *gradient,
                                                 const Team &team) {
  for (int c = team.first(); c < row.classes; c += team.step()) {
    const double x = (double)row.logits[c], t = binary_target(row, c);
    const double absent = (1.0 - t) / (1.0 + exp(-x)),
                 there = loss_weight(row, c) * t / (1.0 + exp(x));
    gradient[c] = row.targets[c] == -1.0f ? 0.0f : (float)(scale * (absent - there));
  }
}

template <class Team>
GAPCAM_INLINE LossPart loss_part(const LossRow &row, bool binary, const Team &team) {
  return binary ? binary_cross_entropy_part(row, team) : cross_entropy_part(row, team);
}
template <class Team>
GAPCAM_INLINE void loss_gradient(const LossRow &row, bool binary, double scale, float *gradient,
                                 const Team &team) {
  if (binary) {
    binary_cross_entropy_gradient(row, scale, gradient, team);
  } else {
    cross_entropy_gradient(row, scale, gradient, team);
  }
}

// Adds a run to `metrics`; see gapcam_program_loss.
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

// What a rank tells the others of its part of a batch; see gapcam_program_whole_batch.
enum {
  loss_part_sum = 0,
  loss_part_divisor = 1,
  loss_part_counted = 2,
  loss_part_correct = 3,
  loss_part_stop = 4,
  loss_parts = 5
};

// Takes one run out of a rank's own metrics, which are zeroed.
GAPCAM_INLINE void take_loss(float *own, const float *settings, float *part) {
  // A loss that is not a number stays one, also where nothing counts.
  part[loss_part_sum] = settings[0] != 0.0f ? own[6] * settings[0] : own[6];
  part[loss_part_divisor] = settings[0];
  part[loss_part_counted] = own[3];
  part[loss_part_correct] = own[2];
  part[loss_part_stop] = settings[1];
  for (int i = 0; i < 8; i++) own[i] = 0.0f;
}

// Adds the run of the whole batch to `metrics`, from the parts of all ranks, in their order; gives
// the share in it of a rank whose loss is divided by `divisor`.
GAPCAM_INLINE float count_whole_loss(float *metrics, const float *parts, int ranks, float divisor) {
  double sum = 0.0, by = 0.0;
  float counted = 0.0f, correct = 0.0f, stops = 0.0f;
  for (int rank = 0; rank < ranks; rank++, parts += loss_parts) {
    sum += (double)parts[loss_part_sum];
    by += (double)parts[loss_part_divisor];
    counted += parts[loss_part_counted];
    correct += parts[loss_part_correct];
    stops += parts[loss_part_stop];
  }
  count_loss(metrics, (float)(by != 0.0 ? sum / by : sum), (int)correct, (int)counted);
  metrics[7] += stops;
  return by != 0.0 ? (float)((double)divisor / by) : 0.0f;
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

// settings: see gapcam_program_blend.
GAPCAM_INLINE void blend_update(float *target, float source, const float *settings) {
  const float taken = settings[1] * source;
  *target = settings[0] == 0.0f ? taken : settings[0] * *target + taken;
}

// By what gradients of a norm are multiplied, as PyTorch's clip_grad_norm_ does.
GAPCAM_INLINE float clip_factor(float norm, float max_norm) {
  const float factor = max_norm / (norm + 1e-6f);
  return factor > 1.0f ? 1.0f : factor;
}

}  // namespace gapcam
