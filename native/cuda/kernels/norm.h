// Batch normalisation. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "sums.h"

namespace gapcam::cuda {

// saved holds mean and 1 / deviation, stored_channels each.

template <class T>
struct DeviationBody {
  const T *x;
  const float *mean;
  using Loaded = Group<T>;
  GAPCAM_DEVICE Loaded load_group(int64_t group) const { return load(x, group); }
  template <class Sum>
  GAPCAM_DEVICE void add(const Loaded &v, int c, Sum &sum) const {
    for (int l = 0; l < Lanes<T>::count; l++) {
      const float d = to_float(v.lane[l]) - mean[c + l];
      sum[0][l] += d * d;
    }
  }
};
GAPCAM_KERNEL sum_deviations_f32(const float *x, const float *mean, float *partial,
                                 int64_t positions, int stored_channels, int columns) {
  sum_positions<float, 1>(partial, positions, stored_channels, columns,
                          DeviationBody<float>{x, mean});
}
GAPCAM_KERNEL sum_deviations_bf16(const Bf16 *x, const float *mean, float *partial,
                                  int64_t positions, int stored_channels, int columns) {
  sum_positions<Bf16, 1>(partial, positions, stored_channels, columns,
                         DeviationBody<Bf16>{x, mean});
}

GAPCAM_KERNEL norm_mean(const float *partial, float *saved, int slices, NormShape s) {
  const double total = sum_slices(partial, slices, 1, 0, s.stored_channels);
  const int c = finish_channel();
  if (finishes() && c < s.stored_channels) saved[c] = (float)(total / (double)s.positions);
}

GAPCAM_KERNEL norm_deviation(const float *partial, float *saved, float *running_mean,
                             float *running_variance, int slices, NormShape s) {
  const double total = sum_slices(partial, slices, 1, 0, s.stored_channels);
  const int c = finish_channel();
  if (!finishes() || c >= s.stored_channels) return;
  float *inverse = saved + s.stored_channels;
  if (c >= s.channels) {
    inverse[c] = 0.0f;
    return;
  }
  const double count = (double)s.positions;
  inverse[c] = (float)(1.0 / sqrt(total / count + (double)s.epsilon));
  running_mean[c] += s.momentum * (saved[c] - running_mean[c]);
  running_variance[c] += s.momentum * ((float)(total / (count - 1.0)) - running_variance[c]);
}

// The statistics of a program that does not train.
GAPCAM_KERNEL norm_running(const float *running_mean, const float *running_variance, float *saved,
                           NormShape s) {
  const int c = (int)thread_index();
  if (c >= s.stored_channels) return;
  const bool filled = c < s.channels;
  saved[c] = filled ? running_mean[c] : 0.0f;
  saved[s.stored_channels + c] =
      filled ? (float)(1.0 / sqrt((double)running_variance[c] + (double)s.epsilon)) : 0.0f;
}

// What a normalised value is before the leaky ReLU; forward and backward compute it alike.
struct Norm {
  const float *weight, *bias, *saved;
  int channels, stored_channels;
  GAPCAM_DEVICE float factor(int c) const {
    return c < channels ? weight[c] * saved[stored_channels + c] : 0.0f;
  }
  GAPCAM_DEVICE float value(float x, int c) const {
    return c < channels ? (x - saved[c]) * factor(c) + bias[c] : 0.0f;
  }
};

template <class T>
GAPCAM_DEVICE void norm_map(const T *x, T *y, const Norm &norm, const NormShape &s) {
  enum { lanes = Lanes<T>::count };
  const int64_t i = thread_index();
  const int groups = s.stored_channels / lanes;
  if (i >= s.positions * groups) return;
  const int c = (int)(i % groups) * lanes;
  Group<T> v = load(x, i);
  for (int l = 0; l < lanes; l++) {
    from_float(leaky_relu(norm.value(to_float(v.lane[l]), c + l), s.negative_slope), &v.lane[l]);
  }
  store(y, i, v);
}

template <class T>
struct GradientBody {
  const T *x, *d_y;
  Norm norm;
  float slope;
  struct Loaded {
    Group<T> v, d;
  };
  GAPCAM_DEVICE Loaded load_group(int64_t group) const {
    return {load(x, group), load(d_y, group)};
  }
  template <class Sum>
  GAPCAM_DEVICE void add(const Loaded &loaded, int c, Sum &sum) const {
    for (int l = 0; l < Lanes<T>::count; l++) {
      const float value = to_float(loaded.v.lane[l]);
      const float gradient =
          leaky_relu_gradient(norm.value(value, c + l), to_float(loaded.d.lane[l]), slope);
      sum[0][l] += gradient;
      sum[1][l] += gradient * (value - norm.saved[c + l]);
    }
  }
};

// sums: mean gradient and mean product, as norm_backward takes them. d_weight, d_bias may be null.
GAPCAM_KERNEL norm_gradients(const float *partial, const float *saved, float *sums, float *d_weight,
                             float *d_bias, int slices, NormShape s) {
  const double gradient = sum_slices(partial, slices, 2, 0, s.stored_channels);
  const double products = sum_slices(partial, slices, 2, 1, s.stored_channels);
  const int c = finish_channel();
  if (!finishes() || c >= s.stored_channels) return;
  const double inverse = (double)saved[s.stored_channels + c];
  const double product = products * inverse;
  sums[c] = (float)(gradient / (double)s.positions);
  sums[s.stored_channels + c] = (float)(product / (double)s.positions * inverse);
  if (c >= s.channels) return;
  if (d_bias) d_bias[c] = (float)gradient;
  if (d_weight) d_weight[c] = (float)product;
}

// d_x may be d_y.
template <class T>
GAPCAM_DEVICE void norm_backward_map(const T *x, const T *d_y, T *d_x, const float *sums,
                                     const Norm &norm, const NormShape &s) {
  enum { lanes = Lanes<T>::count };
  const int64_t i = thread_index();
  const int groups = s.stored_channels / lanes;
  if (i >= s.positions * groups) return;
  const int c = (int)(i % groups) * lanes;
  const Group<T> v = load(x, i);
  Group<T> d = load(d_y, i);
  for (int l = 0; l < lanes; l++) {
    const float value = to_float(v.lane[l]);
    float gradient =
        leaky_relu_gradient(norm.value(value, c + l), to_float(d.lane[l]), s.negative_slope);
    if (s.training) {
      gradient -= sums[c + l] + (value - norm.saved[c + l]) * sums[s.stored_channels + c + l];
    }
    from_float(gradient * norm.factor(c + l), &d.lane[l]);
  }
  store(d_x, i, d);
}

#define GAPCAM_NORM(type, T)                                                                       \
  GAPCAM_KERNEL norm_##type(const T *x, T *y, const float *weight, const float *bias,              \
                            const float *saved, NormShape s) {                                     \
    norm_map(x, y, Norm{weight, bias, saved, s.channels, s.stored_channels}, s);                   \
  }                                                                                                \
  GAPCAM_KERNEL sum_norm_gradients_##type(const T *x, const T *d_y, const float *weight,           \
                                          const float *bias, const float *saved, float *partial,   \
                                          NormShape s, int columns) {                              \
    const Norm norm{weight, bias, saved, s.channels, s.stored_channels};                           \
    sum_positions<T, 2>(partial, s.positions, s.stored_channels, columns,                          \
                        GradientBody<T>{x, d_y, norm, s.negative_slope});                          \
  }                                                                                                \
  GAPCAM_KERNEL norm_backward_##type(const T *x, const T *d_y, T *d_x, const float *weight,        \
                                     const float *bias, const float *saved, const float *sums,     \
                                     NormShape s) {                                                \
    norm_backward_map(x, d_y, d_x, sums, Norm{weight, bias, saved, s.channels, s.stored_channels}, \
                      s);                                                                          \
  }
GAPCAM_NORM(f32, float)
GAPCAM_NORM(bf16, Bf16)

}  // namespace gapcam::cuda
