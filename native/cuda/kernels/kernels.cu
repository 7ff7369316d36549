// Everything that is neither a convolution nor a matrix product. Compiled at run time for the
// device found, or by a C++ compiler for the host.
//
// Maps are NHWC of T (float or Bf16), channels stored in multiples of 16 bytes; the channels that
// only fill up are 0 and stay 0. A thread handles one such group of lanes. Blocks have
// block_threads threads. Sums are taken in a fixed order: the same input gives the same bytes.
#include "activations.h"
#include "average_pool2d.h"
#include "channels.h"
#include "depthwise.h"
#include "direct.h"
#include "dropout.h"
#include "elementwise.h"
#include "gate.h"
#include "groups.h"
#include "images.h"
#include "layout.h"
#include "loss.h"
#include "norm.h"
#include "platform.h"
#include "pool.h"
#include "ranks.h"
#include "resample.h"
#include "sums.h"
#include "update.h"

namespace gapcam::cuda {

// ---- Element-wise -----------------------------------------------------------------------------

template <class T>
GAPCAM_DEVICE void leaky_relu_map(const T *x, T *y, int64_t groups, float slope) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  Group<T> v = load(x, i);
  for (int l = 0; l < Lanes<T>::count; l++) {
    from_float(leaky_relu(to_float(v.lane[l]), slope), &v.lane[l]);
  }
  store(y, i, v);
}
GAPCAM_KERNEL leaky_relu_f32(const float *x, float *y, int64_t groups, float slope) {
  leaky_relu_map(x, y, groups, slope);
}
GAPCAM_KERNEL leaky_relu_bf16(const Bf16 *x, Bf16 *y, int64_t groups, float slope) {
  leaky_relu_map(x, y, groups, slope);
}

// d_x may be d_y.
template <class T>
GAPCAM_DEVICE void leaky_relu_backward_map(const T *y, const T *d_y, T *d_x, int64_t groups,
                                           float slope) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  const Group<T> v = load(y, i);
  Group<T> d = load(d_y, i);
  for (int l = 0; l < Lanes<T>::count; l++) {
    from_float(leaky_relu_gradient(to_float(v.lane[l]), to_float(d.lane[l]), slope), &d.lane[l]);
  }
  store(d_x, i, d);
}
GAPCAM_KERNEL leaky_relu_backward_f32(const float *y, const float *d_y, float *d_x, int64_t groups,
                                      float slope) {
  leaky_relu_backward_map(y, d_y, d_x, groups, slope);
}
GAPCAM_KERNEL leaky_relu_backward_bf16(const Bf16 *y, const Bf16 *d_y, Bf16 *d_x, int64_t groups,
                                       float slope) {
  leaky_relu_backward_map(y, d_y, d_x, groups, slope);
}

// Any activation. Channels from `channels` on only fill up, and stay 0 whatever it makes of 0; y
// may be x.
template <class T>
GAPCAM_DEVICE void activation_map(const T *x, T *y, int64_t groups, int channel_groups,
                                  int channels, int kind, float a, float b) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  Group<T> v = load(x, i);
  const int c = (int)(i % channel_groups) * Lanes<T>::count;
  for (int l = 0; l < Lanes<T>::count; l++) {
    const float made = c + l < channels ? activate(kind, a, b, to_float(v.lane[l])) : 0.0f;
    from_float(made, &v.lane[l]);
  }
  store(y, i, v);
}

// d_x may be d_y.
template <class T>
GAPCAM_DEVICE void activation_backward_map(const T *known, const T *d_y, T *d_x, int64_t groups,
                                           int kind, float a, float b) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  const Group<T> v = load(known, i);
  Group<T> d = load(d_y, i);
  for (int l = 0; l < Lanes<T>::count; l++) {
    from_float(activation_gradient(kind, a, b, to_float(v.lane[l]), to_float(d.lane[l])),
               &d.lane[l]);
  }
  store(d_x, i, d);
}

#define GAPCAM_ELEMENTWISE(type, T)                                                              \
  GAPCAM_KERNEL activation_##type(const T *x, T *y, int64_t groups, int channel_groups,          \
                                  int channels, int kind, float a, float b) {                    \
    activation_map(x, y, groups, channel_groups, channels, kind, a, b);                          \
  }                                                                                              \
  GAPCAM_KERNEL activation_backward_##type(const T *known, const T *d_y, T *d_x, int64_t groups, \
                                           int kind, float a, float b) {                         \
    activation_backward_map(known, d_y, d_x, groups, kind, a, b);                                \
  }                                                                                              \
  GAPCAM_KERNEL add_##type(const T *a, const T *b, T *y, int64_t groups) {                       \
    combine_maps(a, b, y, groups, [](float v, float w) { return v + w; });                       \
  }
GAPCAM_ELEMENTWISE(f32, float)
GAPCAM_ELEMENTWISE(bf16, Bf16)

// As the host sees them, for gradients of parameters.
GAPCAM_KERNEL add_elements(const float *a, const float *b, float *y, int64_t count) {
  const int64_t i = thread_index();
  if (i < count) y[i] = a[i] + b[i];
}

// What follows a convolution where it is not fused: plus a bias and a map, each of which may be
// null, then an activation that makes 0 of 0. x and added may be y.
template <class T>
struct Bias {
  float bias[Lanes<T>::count];
  GAPCAM_DEVICE float value(float x, int l) const { return x + bias[l]; }
};
template <class T>
struct Epilogue {
  const T *x, *added;
  T *y;
  const float *bias;
  int64_t positions;
  int stored_channels, columns;
  template <class Activation>
  GAPCAM_DEVICE void operator()(const Activation &activation) const {
    const int c = first_channel<T>(stored_channels, columns);
    CompletionBody<T, Bias<T>, Activation> body{x, added, y, activation, {}};
    for (int l = 0; bias && l < Lanes<T>::count; l++) body.before.bias[l] = bias[c + l];
    each_position<T>(positions, stored_channels, columns, body);
  }
};
// What follows a convolution's backward where it is not fused: plus another gradient, times that of
// a leaky ReLU from the map that it made; each of the two may be null. x may be y.
template <class T>
GAPCAM_DEVICE void gradient_epilogue_map(const T *x, const T *added, const T *made, T *y,
                                         int64_t groups, float slope) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  Group<T> v = load(x, i), other, known;
  if (added) other = load(added, i);
  if (made) known = load(made, i);
  for (int l = 0; l < Lanes<T>::count; l++) {
    float sum = to_float(v.lane[l]);
    if (added) sum += to_float(other.lane[l]);
    if (made) sum = leaky_relu_gradient(to_float(known.lane[l]), sum, slope);
    from_float(sum, &v.lane[l]);
  }
  store(y, i, v);
}
GAPCAM_KERNEL gradient_epilogue_f32(const float *x, const float *added, const float *made, float *y,
                                    int64_t groups, float slope) {
  gradient_epilogue_map(x, added, made, y, groups, slope);
}
GAPCAM_KERNEL gradient_epilogue_bf16(const Bf16 *x, const Bf16 *added, const Bf16 *made, Bf16 *y,
                                     int64_t groups, float slope) {
  gradient_epilogue_map(x, added, made, y, groups, slope);
}

GAPCAM_KERNEL epilogue_f32(const float *x, const float *bias, const float *added, float *y,
                           int64_t positions, int stored_channels, int columns, int kind, float a,
                           float b) {
  with_activation(kind, a, b,
                  Epilogue<float>{x, added, y, bias, positions, stored_channels, columns});
}
GAPCAM_KERNEL epilogue_bf16(const Bf16 *x, const float *bias, const Bf16 *added, Bf16 *y,
                            int64_t positions, int stored_channels, int columns, int kind, float a,
                            float b) {
  with_activation(kind, a, b,
                  Epilogue<Bf16>{x, added, y, bias, positions, stored_channels, columns});
}

// y[n, c] += bias[c], for linear layers.
GAPCAM_KERNEL add_bias(float *y, const float *bias, int64_t count, int columns) {
  const int64_t i = thread_index();
  if (i < count) y[i] += bias[i % columns];
}

// Up to words_per_write words that the launch itself carries.
GAPCAM_KERNEL write_words(uint32_t *target, Words words, int count) {
  const int i = (int)thread_index();
  if (i < count) target[i] = words.word[i];
}

// ---- Weights: one launch over all parameters ----------------------------------------------------

GAPCAM_KERNEL repack(const RepackChunk *chunks) {
  const RepackChunk chunk = chunks[blockIdx.x];
  for (int64_t i = chunk.begin + threadIdx.x; i < chunk.begin + chunk.count; i += blockDim.x) {
    const int64_t position = i / chunk.target_channels;
    const int channel = (int)(i - position * chunk.target_channels);
    const int64_t row = position / chunk.pixels;
    float value = 0.0f;
    if (channel < chunk.source_channels && row < chunk.source_rows) {
      const int64_t from = position * chunk.source_channels + channel;
      value = chunk.from_bf16 ? to_float(((const Bf16 *)chunk.source)[from])
                              : ((const float *)chunk.source)[from];
      if (chunk.factor) value *= chunk.factor[row];
    }
    if (chunk.to_bf16) {
      from_float(value, (Bf16 *)chunk.target + i);
    } else {
      ((float *)chunk.target)[i] = value;
    }
  }
}

// A batch normalisation with fixed statistics as a factor and a bias of the convolution before.
GAPCAM_KERNEL fold_norm(const float *weight, const float *bias, const float *mean,
                        const float *variance, const float *convolution_bias, float *factor,
                        float *folded_bias, int channels, int stored_channels, float epsilon) {
  const int c = (int)thread_index();
  if (c >= stored_channels) return;
  if (c >= channels) {
    folded_bias[c] = 0.0f;
    return;
  }
  const double f = fold_factor(weight[c], variance[c], epsilon);
  factor[c] = (float)f;
  folded_bias[c] = fold_bias(f, convolution_bias ? convolution_bias[c] : 0.0f, mean[c], bias[c]);
}

// ---- Layouts ----------------------------------------------------------------------------------

template <class From, class To>
GAPCAM_DEVICE void copy_map(const From *x, To *y, const MapCopy &s) {
  const int64_t i = thread_index();
  const int64_t count = s.batch * s.pixels * s.channels;
  if (i >= count) return;
  int64_t n, p, c;
  if (s.channels_innermost) {
    c = i % s.channels;
    p = i / s.channels % s.pixels;
    n = i / s.channels / s.pixels;
  } else {
    p = i % s.pixels;
    c = i / s.pixels % s.channels;
    n = i / s.pixels / s.channels;
  }
  float value = 0.0f;
  if (c < s.filled) {
    value = to_float(x[n * s.source_batch + p * s.source_pixel + c * s.source_channel]);
  }
  from_float(value, y + n * s.target_batch + p * s.target_pixel + c * s.target_channel);
}
// y[p, first_to + c] = x[p, first_from + c] for c < count, 0 for c < filled.
template <class T>
GAPCAM_DEVICE void copy_channels_map(const T *x, T *y, int64_t positions, int from_stored,
                                     int first_from, int to_stored, int first_to, int count,
                                     int filled) {
  const int64_t i = thread_index();
  if (i >= positions * filled) return;
  const int c = (int)(i % filled);
  const int64_t p = i / filled;
  if (c < count) {
    y[p * to_stored + first_to + c] = x[p * from_stored + first_from + c];
  } else {
    from_float(0.0f, y + p * to_stored + first_to + c);
  }
}
GAPCAM_KERNEL copy_channels_f32(const float *x, float *y, int64_t positions, int from_stored,
                                int first_from, int to_stored, int first_to, int count,
                                int filled) {
  copy_channels_map(x, y, positions, from_stored, first_from, to_stored, first_to, count, filled);
}
GAPCAM_KERNEL copy_channels_bf16(const Bf16 *x, Bf16 *y, int64_t positions, int from_stored,
                                 int first_from, int to_stored, int first_to, int count,
                                 int filled) {
  copy_channels_map(x, y, positions, from_stored, first_from, to_stored, first_to, count, filled);
}

GAPCAM_KERNEL copy_f32_to_f32(const float *x, float *y, MapCopy s) { copy_map(x, y, s); }
GAPCAM_KERNEL copy_f32_to_bf16(const float *x, Bf16 *y, MapCopy s) { copy_map(x, y, s); }
GAPCAM_KERNEL copy_bf16_to_f32(const Bf16 *x, float *y, MapCopy s) { copy_map(x, y, s); }

}  // namespace gapcam::cuda
