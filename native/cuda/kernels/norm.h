// Batch normalisation. Part of kernels.cu.
#pragma once

#include "activations.h"
#include "elementwise.h"
#include "sums.h"

namespace gapcam::cuda {

// saved holds mean and 1 / deviation, stored_channels each.

// Means of what was added, and sums of squares about them: squares of the values themselves would
// leave nothing of a deviation far from 0.
template <class T>
struct Moments {
  enum { lanes = Lanes<T>::count };
  float count, mean[lanes], squares[lanes];
  GAPCAM_DEVICE Moments() {
    count = 0.0f;
    for (int l = 0; l < lanes; l++) mean[l] = squares[l] = 0.0f;
  }
  template <int Count>
  GAPCAM_DEVICE void add(const Group<T> *v) {
    const float share = (float)Count / (count + (float)Count);
    for (int l = 0; l < lanes; l++) {
      float own = 0.0f, about = 0.0f;
      GAPCAM_UNROLL
      for (int k = 0; k < Count; k++) own += to_float(v[k].lane[l]);
      own *= 1.0f / (float)Count;
      GAPCAM_UNROLL
      for (int k = 0; k < Count; k++) {
        const float d = to_float(v[k].lane[l]) - own;
        about += d * d;
      }
      const float d = own - mean[l];
      mean[l] += d * share;
      squares[l] += about + d * d * (count * share);
    }
    count += (float)Count;
  }
};

// partial[slice][0 and 1][stored_channels]: the mean of a slice's positions, and the sum of squares
// about it, in one pass. Blocks as in each_position().
template <class T>
GAPCAM_DEVICE void sum_moments_map(const T *x, float *partial, int64_t positions,
                                   int stored_channels, int columns) {
  enum { lanes = Lanes<T>::count };
  GAPCAM_SHARED float means[block_threads][lanes], squares[block_threads][lanes];
  const int groups = stored_channels / lanes, rows = block_threads / columns;
  const int column = (int)threadIdx.x % columns, row = (int)threadIdx.x / columns;
  const int g = (int)blockIdx.x * columns + column;
  const int64_t step = (int64_t)gridDim.y * rows, first = (int64_t)blockIdx.y * rows + row;
  if (g < groups && first < positions) {
    Moments<T> moments;
    Group<T> loaded[4];
    int64_t p = first;
    for (; p + 3 * step < positions; p += 4 * step) {
      GAPCAM_UNROLL
      for (int k = 0; k < 4; k++) loaded[k] = load(x, (p + k * step) * groups + g);
      moments.template add<4>(loaded);
    }
    for (; p < positions; p += step) {
      loaded[0] = load(x, p * groups + g);
      moments.template add<1>(loaded);
    }
    for (int l = 0; l < lanes; l++) {
      means[threadIdx.x][l] = moments.mean[l];
      squares[threadIdx.x][l] = moments.squares[l];
    }
  }
  GAPCAM_SYNCHRONISE();
  const SliceChannel own = slice_channel<T>(stored_channels, columns);
  if (!own.filled) return;
  const int64_t whole = positions / step, rest = positions % step;
  float count = 0.0f, mean = 0.0f, total = 0.0f;
  for (int r = 0; r < rows; r++) {
    const auto n = (float)(whole + ((int64_t)blockIdx.y * rows + r < rest ? 1 : 0));
    if (n == 0.0f) break;
    const float d = means[r * columns + own.column][own.lane] - mean;
    count += n;
    mean += d * (n / count);
    total += squares[r * columns + own.column][own.lane] + d * d * n * ((count - n) / count);
  }
  float *to = partial + (int64_t)blockIdx.y * 2 * stored_channels + own.channel;
  to[0] = mean;
  to[stored_channels] = total;
}
GAPCAM_KERNEL sum_moments_f32(const float *x, float *partial, int64_t positions,
                              int stored_channels, int columns) {
  sum_moments_map(x, partial, positions, stored_channels, columns);
}
GAPCAM_KERNEL sum_moments_bf16(const Bf16 *x, float *partial, int64_t positions,
                               int stored_channels, int columns) {
  sum_moments_map(x, partial, positions, stored_channels, columns);
}

// A slice's mean times how many it is of, and its squares about the mean of all.
struct SliceMean {
  const float *partial;
  int64_t positions, step;
  int rows, stored_channels;
  GAPCAM_DEVICE double count(int slice) const {
    const int64_t begin = (int64_t)slice * rows, rest = positions % step - begin;
    return (double)(positions / step * rows + (rest < 0 ? 0 : rest < rows ? rest : rows));
  }
  GAPCAM_DEVICE double mean(int slice, int c) const {
    return (double)partial[(int64_t)slice * 2 * stored_channels + c];
  }
  GAPCAM_DEVICE double operator()(int slice, int c) const { return count(slice) * mean(slice, c); }
};
struct SliceSquares {
  SliceMean slice;
  double mean;
  GAPCAM_DEVICE double operator()(int s, int c) const {
    const double d = slice.mean(s, c) - mean;
    return (double)slice.partial[((int64_t)s * 2 + 1) * slice.stored_channels + c] +
           slice.count(s) * d * d;
  }
};

// The sum of squares about the mean of channel finish_channel(), and that `mean`, from
// sum_moments_map(). All threads of the block must call it.
GAPCAM_DEVICE double sum_slice_moments(const float *partial, int slices, int columns,
                                       const NormShape &s, double *mean) {
  GAPCAM_SHARED double means[finish_columns];
  const int rows = block_threads / columns;
  const SliceMean slice{partial, s.positions, (int64_t)slices * rows, rows, s.stored_channels};
  const double sum = sum_slices(slices, s.stored_channels, slice);
  if (finishes()) means[threadIdx.x] = sum / (double)s.positions;
  GAPCAM_SYNCHRONISE();
  *mean = means[threadIdx.x % finish_columns];
  return sum_slices(slices, s.stored_channels, SliceSquares{slice, *mean});
}

GAPCAM_KERNEL norm_statistics(const float *partial, float *saved, float *running_mean,
                              float *running_variance, int slices, int columns, NormShape s) {
  const double count = (double)s.positions;
  double mean = 0.0;
  const double total = sum_slice_moments(partial, slices, columns, s, &mean);
  const int c = finish_channel();
  if (!finishes() || c >= s.stored_channels) return;
  float *inverse = saved + s.stored_channels;
  saved[c] = (float)mean;
  inverse[c] = c < s.channels ? (float)(1.0 / sqrt(total / count + (double)s.epsilon)) : 0.0f;
  if (c >= s.channels) return;
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

struct NormOperands {
  const float *weight, *bias, *saved;
};

// What a normalised value is before the activation, for the channels of a group, which a thread
// reads once and keeps; forward and backward compute it alike.
template <class T>
struct Norm {
  enum { lanes = Lanes<T>::count };
  float mean[lanes], factor[lanes], bias[lanes];
  GAPCAM_DEVICE void read(const NormOperands &from, const NormShape &s, int c) {
    for (int l = 0; l < lanes; l++) {
      const bool filled = c + l < s.channels;
      mean[l] = from.saved[c + l];
      factor[l] = filled ? from.weight[c + l] * from.saved[s.stored_channels + c + l] : 0.0f;
      bias[l] = filled ? from.bias[c + l] : 0.0f;
    }
  }
  GAPCAM_DEVICE float value(float x, int l) const { return (x - mean[l]) * factor[l] + bias[l]; }
};

template <class T>
struct NormMap {
  const T *x, *added;
  T *y;
  NormOperands operands;
  NormShape shape;
  int columns;
  template <class Activation>
  GAPCAM_DEVICE void operator()(const Activation &activation) const {
    CompletionBody<T, Norm<T>, Activation> body{x, added, y, activation, {}};
    body.before.read(operands, shape, first_channel<T>(shape.stored_channels, columns));
    each_position<T>(shape.positions, shape.stored_channels, columns, body);
  }
};

// Sums of the gradients before the activation, and of their products with the values' distances
// from the mean.
template <class T, class Activation>
struct GradientBody {
  const T *x, *d_y;
  enum { loads = Activation::loads };
  Activation activation;
  Norm<T> norm;
  float (&sum)[2][Lanes<T>::count];
  struct Loaded {
    Group<T> v, d;
  };
  GAPCAM_DEVICE Loaded load_group(int64_t group) const {
    return {load(x, group), load(d_y, group)};
  }
  GAPCAM_DEVICE void take(int64_t, const Loaded &loaded) const {
    for (int l = 0; l < Lanes<T>::count; l++) {
      const float value = to_float(loaded.v.lane[l]);
      const float gradient = activation.gradient(norm.value(value, l), to_float(loaded.d.lane[l]));
      sum[0][l] += gradient;
      sum[1][l] += gradient * (value - norm.mean[l]);
    }
  }
};
template <class T>
struct SumGradients {
  const T *x, *d_y;
  float (&sum)[2][Lanes<T>::count];
  NormOperands operands;
  NormShape shape;
  int columns;
  template <class Activation>
  GAPCAM_DEVICE void operator()(const Activation &activation) const {
    GradientBody<T, Activation> body{x, d_y, activation, {}, sum};
    body.norm.read(operands, shape, first_channel<T>(shape.stored_channels, columns));
    each_position<T>(shape.positions, shape.stored_channels, columns, body);
  }
};

// sums: mean gradient and mean product, as norm_backward takes them. d_weight, d_bias may be null.
GAPCAM_KERNEL norm_gradients(const float *partial, const float *saved, float *sums, float *d_weight,
                             float *d_bias, int slices, NormShape s) {
  const double gradient =
      sum_slices(slices, s.stored_channels, SliceSum{partial, 2, 0, s.stored_channels});
  const double products =
      sum_slices(slices, s.stored_channels, SliceSum{partial, 2, 1, s.stored_channels});
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
template <class T, class Activation>
struct NormBackwardBody {
  const T *x, *d_y;
  T *d_x;
  enum { loads = Activation::loads };
  Activation activation;
  Norm<T> norm;
  // Of each channel: mean gradient and mean product, where batches have statistics of their own.
  float gradients[Lanes<T>::count], products[Lanes<T>::count];
  struct Loaded {
    Group<T> v, d;
  };
  GAPCAM_DEVICE Loaded load_group(int64_t group) const {
    return {load(x, group), load(d_y, group)};
  }
  GAPCAM_DEVICE void take(int64_t group, Loaded loaded) const {
    for (int l = 0; l < Lanes<T>::count; l++) {
      const float value = to_float(loaded.v.lane[l]);
      float gradient = activation.gradient(norm.value(value, l), to_float(loaded.d.lane[l]));
      gradient -= gradients[l] + (value - norm.mean[l]) * products[l];
      from_float(gradient * norm.factor[l], &loaded.d.lane[l]);
    }
    store(d_x, group, loaded.d);
  }
};
template <class T>
struct NormBackward {
  const T *x, *d_y;
  T *d_x;
  const float *sums;
  NormOperands operands;
  NormShape shape;
  int columns;
  template <class Activation>
  GAPCAM_DEVICE void operator()(const Activation &activation) const {
    const int c = first_channel<T>(shape.stored_channels, columns);
    NormBackwardBody<T, Activation> body{x, d_y, d_x, activation, {}, {}, {}};
    body.norm.read(operands, shape, c);
    for (int l = 0; shape.training && l < Lanes<T>::count; l++) {
      body.gradients[l] = sums[c + l];
      body.products[l] = sums[shape.stored_channels + c + l];
    }
    each_position<T>(shape.positions, shape.stored_channels, columns, body);
  }
};

#define GAPCAM_NORM(type, T)                                                                     \
  GAPCAM_KERNEL norm_##type(const T *x, const T *added, T *y, const float *weight,               \
                            const float *bias, const float *saved, NormShape s, int columns) {   \
    with_activation(s.activation, s.a, s.b,                                                      \
                    NormMap<T>{x, added, y, {weight, bias, saved}, s, columns});                 \
  }                                                                                              \
  GAPCAM_KERNEL sum_norm_gradients_##type(const T *x, const T *d_y, const float *weight,         \
                                          const float *bias, const float *saved, float *partial, \
                                          NormShape s, int columns) {                            \
    float sum[2][Lanes<T>::count] = {};                                                          \
    with_activation(s.activation, s.a, s.b,                                                      \
                    SumGradients<T>{x, d_y, sum, {weight, bias, saved}, s, columns});            \
    write_slice<T>(sum, partial, s.stored_channels, columns);                                    \
  }                                                                                              \
  GAPCAM_KERNEL norm_backward_##type(const T *x, const T *d_y, T *d_x, const float *weight,      \
                                     const float *bias, const float *saved, const float *sums,   \
                                     NormShape s, int columns) {                                 \
    with_activation(s.activation, s.a, s.b,                                                      \
                    NormBackward<T>{x, d_y, d_x, sums, {weight, bias, saved}, s, columns});      \
  }
GAPCAM_NORM(f32, float)
GAPCAM_NORM(bf16, Bf16)

}  // namespace gapcam::cuda
