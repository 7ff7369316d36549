// Everything that is neither a convolution nor a matrix product. Compiled at run time for the
// device found, or by a C++ compiler for the host.
//
// Maps are NHWC of T (float or Bf16), channels stored in multiples of 16 bytes; the channels that
// only fill up are 0 and stay 0. A thread handles one such group of lanes. Blocks have
// block_threads threads. Sums are taken in a fixed order: the same input gives the same bytes.
#include "elementwise.h"
#include "layout.h"
#include "platform.h"

namespace gapcam::cuda {

struct Bf16 {
  uint16_t bits;
};

union FloatBits {
  float value;
  uint32_t bits;
};

GAPCAM_DEVICE float to_float(float x) { return x; }
GAPCAM_DEVICE float to_float(Bf16 x) {
  FloatBits u;
  u.bits = (uint32_t)x.bits << 16;
  return u.value;
}

GAPCAM_DEVICE void from_float(float x, float *y) { *y = x; }
// To the nearest, ties to even; NaN stays NaN.
GAPCAM_DEVICE void from_float(float x, Bf16 *y) {
  FloatBits u;
  u.value = x;
  if ((u.bits & 0x7fffffffu) > 0x7f800000u) {
    y->bits = (uint16_t)((u.bits >> 16) | 0x40u);
  } else {
    y->bits = (uint16_t)((u.bits + 0x7fffu + ((u.bits >> 16) & 1u)) >> 16);
  }
}

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  enum { count = f32_lanes };
};
template <>
struct Lanes<Bf16> {
  enum { count = bf16_lanes };
};

// 16 bytes of a map.
template <class T>
struct alignas(16) Group {
  T lane[Lanes<T>::count];
};

template <class T>
GAPCAM_DEVICE Group<T> load(const T *x, int64_t group) {
  return reinterpret_cast<const Group<T> *>(x)[group];
}
template <class T>
GAPCAM_DEVICE void store(T *y, int64_t group, const Group<T> &value) {
  reinterpret_cast<Group<T> *>(y)[group] = value;
}

// A group's positions within windows, written and read at once.
template <class Index, int Count>
struct alignas(sizeof(Index) * Count) IndexGroup {
  Index lane[Count];
};

GAPCAM_DEVICE int64_t thread_index() { return (int64_t)blockIdx.x * blockDim.x + threadIdx.x; }

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

// What follows a convolution where it is not fused. bias may be null; x may be y.
template <class T>
GAPCAM_DEVICE void bias_leaky_relu_map(const T *x, const float *bias, T *y, int64_t groups,
                                       int channel_groups, float slope) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  Group<T> v = load(x, i);
  const int c = (int)(i % channel_groups) * Lanes<T>::count;
  for (int l = 0; l < Lanes<T>::count; l++) {
    const float sum = to_float(v.lane[l]) + (bias ? bias[c + l] : 0.0f);
    from_float(leaky_relu(sum, slope), &v.lane[l]);
  }
  store(y, i, v);
}
GAPCAM_KERNEL bias_leaky_relu_f32(const float *x, const float *bias, float *y, int64_t groups,
                                  int channel_groups, float slope) {
  bias_leaky_relu_map(x, bias, y, groups, channel_groups, slope);
}
GAPCAM_KERNEL bias_leaky_relu_bf16(const Bf16 *x, const float *bias, Bf16 *y, int64_t groups,
                                   int channel_groups, float slope) {
  bias_leaky_relu_map(x, bias, y, groups, channel_groups, slope);
}

// y[n, c] += bias[c], for linear layers.
GAPCAM_KERNEL add_bias(float *y, const float *bias, int64_t count, int columns) {
  const int64_t i = thread_index();
  if (i < count) y[i] += bias[i % columns];
}

GAPCAM_KERNEL fill_f32(float *y, float value, int64_t count) {
  const int64_t i = thread_index();
  if (i < count) y[i] = value;
}

// Up to words_per_write words that the launch itself carries.
GAPCAM_KERNEL write_words(uint32_t *target, Words words, int count) {
  const int i = (int)thread_index();
  if (i < count) target[i] = words.word[i];
}

// ---- Optimisers and weights: one launch over all parameters ------------------------------------

// Settings in registers: what a thread writes could otherwise change them.
struct UpdateSettings {
  float value[8];
  GAPCAM_DEVICE explicit UpdateSettings(const float *settings) {
    for (int i = 0; i < 8; i++) value[i] = settings[i];
  }
};

GAPCAM_KERNEL adam(const UpdateChunk *chunks, const float *settings) {
  const UpdateChunk chunk = chunks[blockIdx.x];
  const UpdateSettings own(settings);
  for (int64_t i = threadIdx.x; i < chunk.count; i += blockDim.x) {
    adam_update(chunk.parameter + i, chunk.first + i, chunk.second + i, chunk.gradient[i],
                own.value);
  }
}

GAPCAM_KERNEL sgd(const UpdateChunk *chunks, const float *settings) {
  const UpdateChunk chunk = chunks[blockIdx.x];
  const UpdateSettings own(settings);
  for (int64_t i = threadIdx.x; i < chunk.count; i += blockDim.x) {
    sgd_update(chunk.parameter + i, chunk.first + i, chunk.gradient[i], own.value);
  }
}

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
GAPCAM_KERNEL copy_f32_to_f32(const float *x, float *y, MapCopy s) { copy_map(x, y, s); }
GAPCAM_KERNEL copy_f32_to_bf16(const float *x, Bf16 *y, MapCopy s) { copy_map(x, y, s); }
GAPCAM_KERNEL copy_bf16_to_f32(const Bf16 *x, float *y, MapCopy s) { copy_map(x, y, s); }

// ---- Pooling ----------------------------------------------------------------------------------

// argmax (may be null) holds positions within the window.
template <class T, class Index>
GAPCAM_DEVICE void max_pool_map(const T *x, T *y, Index *argmax, const PoolShape &s) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.channels / lanes;
  const int64_t i = thread_index();
  if (i >= (int64_t)s.batch * s.output_height * s.output_width * groups) return;
  const int g = (int)(i % groups);
  int64_t rest = i / groups;
  const int ow = (int)(rest % s.output_width);
  rest /= s.output_width;
  const int oh = (int)(rest % s.output_height);
  const int64_t n = rest / s.output_height;
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
  const int g = (int)(i % groups);
  int64_t rest = i / groups;
  const int w = (int)(rest % s.width);
  rest /= s.width;
  const int h = (int)(rest % s.height);
  const int64_t n = rest / s.height;
  float sum[lanes];
  for (int l = 0; l < lanes; l++) sum[l] = 0.0f;
  // Windows oh with oh * stride - padding <= h < oh * stride - padding + kernel.
  const int down = h + s.padding_height, across = w + s.padding_width;
  int first_h = down - s.kernel_height + 1;
  first_h = first_h > 0 ? (first_h + s.stride_height - 1) / s.stride_height : 0;
  int first_w = across - s.kernel_width + 1;
  first_w = first_w > 0 ? (first_w + s.stride_width - 1) / s.stride_width : 0;
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

#define GAPCAM_POOL(type, T, index, Index)                                                    \
  GAPCAM_KERNEL max_pool_##type##_##index(const T *x, T *y, Index *argmax, PoolShape s) {     \
    max_pool_map(x, y, argmax, s);                                                            \
  }                                                                                           \
  GAPCAM_KERNEL max_pool_backward_##type##_##index(                                           \
      const T *d_y, const Index *argmax, const T *pooled, T *d_x, PoolShape s, float slope) { \
    max_pool_backward_map(d_y, argmax, pooled, d_x, s, slope);                                \
  }
GAPCAM_POOL(f32, float, u8, uint8_t)
GAPCAM_POOL(f32, float, i32, int32_t)
GAPCAM_POOL(bf16, Bf16, u8, uint8_t)
GAPCAM_POOL(bf16, Bf16, i32, int32_t)

// Blocks that sum over positions arrange their threads in rows of `columns` (a power of two, at
// most block_threads), one for each group of channels; the rows share the positions.

// A block takes one image and `columns` groups of channels.
template <class T>
GAPCAM_DEVICE void average_pool_map(const T *x, float *y, int pixels, int channels,
                                    int stored_channels, int columns) {
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
      for (int l = 0; l < lanes; l++) sum[l] += to_float(v.lane[l]);
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
    y[n * channels + c] = (float)(total / pixels);
  }
}
GAPCAM_KERNEL average_pool_f32(const float *x, float *y, int pixels, int channels,
                               int stored_channels, int columns) {
  average_pool_map(x, y, pixels, channels, stored_channels, columns);
}
GAPCAM_KERNEL average_pool_bf16(const Bf16 *x, float *y, int pixels, int channels,
                                int stored_channels, int columns) {
  average_pool_map(x, y, pixels, channels, stored_channels, columns);
}

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

// ---- Sums over positions -----------------------------------------------------------------------

// partial[slice][k][stored_channels] = sum over the slice's positions of what the body adds for
// each of its groups. A block takes `columns` groups of channels (x) and one slice of the positions
// (y).
template <class T, int Count, class Body>
GAPCAM_DEVICE void sum_positions(float *partial, int64_t positions, int stored_channels,
                                 int columns, const Body &body) {
  enum { lanes = Lanes<T>::count };
  GAPCAM_SHARED float shared[Count][block_threads][lanes];
  const int groups = stored_channels / lanes, rows = block_threads / columns;
  const int column = (int)threadIdx.x % columns, row = (int)threadIdx.x / columns;
  const int g = (int)blockIdx.x * columns + column;
  float sum[Count][lanes];
  for (int k = 0; k < Count; k++) {
    for (int l = 0; l < lanes; l++) sum[k][l] = 0.0f;
  }
  if (g < groups) {
    const int64_t step = (int64_t)gridDim.y * rows;
    int64_t p = (int64_t)blockIdx.y * rows + row;
    // Few blocks share the positions: one load at a time would leave the memory idle.
    for (; p + 3 * step < positions; p += 4 * step) {
      typename Body::Loaded loaded[4];
      GAPCAM_UNROLL
      for (int k = 0; k < 4; k++) loaded[k] = body.load_group((p + k * step) * groups + g);
      GAPCAM_UNROLL
      for (int k = 0; k < 4; k++) body.add(loaded[k], g * lanes, sum);
    }
    for (; p < positions; p += step) body.add(body.load_group(p * groups + g), g * lanes, sum);
  }
  for (int k = 0; k < Count; k++) {
    for (int l = 0; l < lanes; l++) shared[k][threadIdx.x][l] = sum[k][l];
  }
  GAPCAM_SYNCHRONISE();
  if (row != 0 || g >= groups) return;
  for (int k = 0; k < Count; k++) {
    for (int l = 0; l < lanes; l++) {
      float total = 0.0f;
      for (int r = 0; r < rows; r++) total += shared[k][r * columns + column][l];
      partial[((int64_t)blockIdx.y * Count + k) * stored_channels + g * lanes + l] = total;
    }
  }
}

// A block that finishes sums takes this many channels; its rows of threads share the slices.
enum { finish_rows = block_threads / finish_columns };

GAPCAM_DEVICE int finish_channel() {
  return (int)blockIdx.x * finish_columns + (int)threadIdx.x % finish_columns;
}
GAPCAM_DEVICE bool finishes() { return threadIdx.x < finish_columns; }

// The sum over the slices of channel finish_channel(), for the threads that finish(). All threads
// of the block must call it.
GAPCAM_DEVICE double sum_slices(const float *partial, int slices, int count, int k,
                                int stored_channels) {
  GAPCAM_SHARED double shared[block_threads];
  const int c = finish_channel();
  double total = 0.0;
  if (c < stored_channels) {
    for (int s = (int)threadIdx.x / finish_columns; s < slices; s += finish_rows) {
      total += (double)partial[((int64_t)s * count + k) * stored_channels + c];
    }
  }
  shared[threadIdx.x] = total;
  GAPCAM_SYNCHRONISE();
  for (int r = 1; finishes() && r < finish_rows; r++) {
    total += shared[r * finish_columns + threadIdx.x];
  }
  GAPCAM_SYNCHRONISE();
  return total;
}

template <class T>
struct SumBody {
  const T *x;
  using Loaded = Group<T>;
  GAPCAM_DEVICE Loaded load_group(int64_t group) const { return load(x, group); }
  template <class Sum>
  GAPCAM_DEVICE void add(const Loaded &v, int, Sum &sum) const {
    for (int l = 0; l < Lanes<T>::count; l++) sum[0][l] += to_float(v.lane[l]);
  }
};
GAPCAM_KERNEL sum_channels_f32(const float *x, float *partial, int64_t positions,
                               int stored_channels, int columns) {
  sum_positions<float, 1>(partial, positions, stored_channels, columns, SumBody<float>{x});
}
GAPCAM_KERNEL sum_channels_bf16(const Bf16 *x, float *partial, int64_t positions,
                                int stored_channels, int columns) {
  sum_positions<Bf16, 1>(partial, positions, stored_channels, columns, SumBody<Bf16>{x});
}
// y[c] = the sum of the slices, for a bias.
GAPCAM_KERNEL finish_sum_channels(const float *partial, float *y, int slices, int channels,
                                  int stored_channels) {
  const double total = sum_slices(partial, slices, 1, 0, stored_channels);
  const int c = finish_channel();
  if (finishes() && c < channels) y[c] = (float)total;
}

// Sums over the rows of [rows, columns], for a linear layer's bias.
GAPCAM_KERNEL sum_rows_f32(const float *x, float *y, int rows, int columns) {
  const int c = (int)thread_index();
  if (c >= columns) return;
  float sum = 0.0f;
  for (int64_t r = 0; r < rows; r++) sum += x[r * columns + c];
  y[c] = sum;
}

// ---- Batch normalisation -----------------------------------------------------------------------
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

// ---- Loss -------------------------------------------------------------------------------------

// One block. metrics may be null; see gapcam_program_cross_entropy.
GAPCAM_KERNEL cross_entropy(const float *logits, const int32_t *labels, float *loss, float *metrics,
                            LossShape s) {
  GAPCAM_SHARED double losses[block_threads];
  GAPCAM_SHARED int counts[block_threads], hits[block_threads], bad[block_threads];
  const int t = (int)threadIdx.x;
  double sum = 0.0;
  int count = 0, correct = 0, invalid = 0;
  for (int n = t; n < s.batch; n += block_threads) {
    const int label = labels[n];
    if (label == -1) continue;
    if (!label_counts(label, s.classes)) {
      invalid = 1;
      continue;
    }
    int best = 0;
    sum += cross_entropy_row(logits + (int64_t)n * s.classes, s.classes, label, s.label_smoothing,
                             &best);
    count++;
    correct += best == label;
  }
  losses[t] = sum;
  counts[t] = count;
  hits[t] = correct;
  bad[t] = invalid;
  GAPCAM_SYNCHRONISE();
  if (t != 0) return;
  for (int i = 1; i < block_threads; i++) {
    sum += losses[i];
    count += counts[i];
    correct += hits[i];
    invalid |= bad[i];
  }
  FloatBits nan;
  nan.bits = 0x7fc00000u;
  float value = count > 0 ? (float)(sum / count) : 0.0f;
  if (invalid) value = nan.value;
  *loss = value;
  if (metrics) count_loss(metrics, value, correct, count);
}

// One thread a row; each counts the labels for itself.
GAPCAM_KERNEL cross_entropy_backward(const float *logits, const int32_t *labels,
                                     const float *d_loss, float *d_logits, LossShape s) {
  const int n = (int)thread_index();
  if (n >= s.batch) return;
  int count = 0;
  for (int i = 0; i < s.batch; i++) count += label_counts(labels[i], s.classes);
  const double scale = count > 0 ? (double)*d_loss / count : 0.0;
  cross_entropy_row_gradient(logits + (int64_t)n * s.classes, s.classes, labels[n],
                             s.label_smoothing, scale, d_logits + (int64_t)n * s.classes);
}

// ---- Images -----------------------------------------------------------------------------------

// Resizes the rows of images [rows, columns.input, channels] to columns.output.
GAPCAM_KERNEL resize_columns(const uint8_t *images, uint8_t *y, int64_t rows, int channels,
                             ResizeTable columns) {
  const int64_t i = thread_index();
  if (i >= rows * columns.output * channels) return;
  const int c = (int)(i % channels);
  const int64_t rest = i / channels;
  const int j = (int)(rest % columns.output);
  const uint8_t *pixel =
      images + (rest / columns.output * columns.input + columns.first[j]) * channels + c;
  int sum = 1 << (resize_fraction_bits - 1);
  for (int t = 0; t < columns.count[j]; t++) {
    sum += columns.weights[(int64_t)j * columns.taps + t] * pixel[(int64_t)t * channels];
  }
  y[i] = resize_round(sum);
}

// Resizes the columns of [batch, rows.input, width, channels] unless rows.first is null, and makes
// a map of what table [channels, 256] says of each 8-bit value.
template <class T>
GAPCAM_DEVICE void prepare_map(const uint8_t *images, const float *table, T *y, int64_t batch,
                               int width, int channels, int stored_channels,
                               const ResizeTable &rows) {
  const int64_t i = thread_index();
  if (i >= batch * rows.output * width) return;
  const int64_t row = i / width;
  const int column = (int)(i % width);
  const int64_t n = row / rows.output;
  const int out = (int)(row % rows.output);
  const int64_t step = (int64_t)width * channels;
  enum { lanes = Lanes<T>::count };
  const int groups = stored_channels / lanes;
  for (int g = 0; g < groups; g++) {
    Group<T> group;
    GAPCAM_UNROLL
    for (int l = 0; l < lanes; l++) {
      const int c = g * lanes + l;
      float value = 0.0f;
      if (c < channels) {
        const uint8_t *image = images + n * rows.input * step + (int64_t)column * channels + c;
        int level;
        if (rows.first) {
          const uint8_t *pixel = image + rows.first[out] * step;
          int sum = 1 << (resize_fraction_bits - 1);
          GAPCAM_NO_UNROLL
          for (int t = 0; t < rows.count[out]; t++) {
            sum += rows.weights[(int64_t)out * rows.taps + t] * pixel[t * step];
          }
          level = resize_round(sum);
        } else {
          level = image[out * step];
        }
        value = table[c * 256 + level];
      }
      from_float(value, &group.lane[l]);
    }
    store(y, i * groups + g, group);
  }
}
GAPCAM_KERNEL prepare_images_f32(const uint8_t *images, const float *table, float *y, int64_t batch,
                                 int width, int channels, int stored_channels, ResizeTable rows) {
  prepare_map(images, table, y, batch, width, channels, stored_channels, rows);
}
GAPCAM_KERNEL prepare_images_bf16(const uint8_t *images, const float *table, Bf16 *y, int64_t batch,
                                  int width, int channels, int stored_channels, ResizeTable rows) {
  prepare_map(images, table, y, batch, width, channels, stored_channels, rows);
}

}  // namespace gapcam::cuda
