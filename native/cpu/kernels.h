// Everything that is not a convolution: loops over maps in any layout, compiled once for each
// instruction set and chosen when the library is first used. Each runs on OpenMP's threads and
// gives the same bytes for the same arguments and thread count.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dropout_shape.h"
#include "window2d.h"

namespace gapcam::cpu {

// A map [batch, channels, height, width] in blocks of `block` channels; see Layout.
struct MapShape {
  int64_t batch = 1, channels = 1, height = 1, width = 1, block = 1;

  int64_t blocks() const { return (channels + block - 1) / block; }
  int64_t pixels() const { return height * width; }
  int64_t elements() const { return batch * blocks() * pixels() * block; }
};

struct PoolShape : Window2d {
  int padding_bottom = 0, padding_right = 0;  // where an average counts it
  MapShape input;
  int64_t output_height = 1, output_width = 1;

  MapShape output() const {
    return {input.batch, input.channels, output_height, output_width, input.block};
  }
  // Whether a position within a window fits 8 bits; else argmax holds 32.
  bool narrow() const { return kernel_height * kernel_width <= 256; }
};

// A convolution of each channel by itself, to `multiplier` outputs of its own. Both maps lie in the
// same blocks, of 8 or 16.
struct DepthwiseShape : ConvolutionWindow {
  MapShape input, output;
  int64_t multiplier = 1;
  float negative_slope = 1.0f;  // of what follows
  // Forward: another activation that follows; see activate() in elementwise.h.
  int activation = 0;
  float a = 0.0f, b = 0.0f;

  // Whether rows are so short that they are copied with zeros around them, or what is done at their
  // ends would take longer than all between.
  bool pads() const { return output.width <= 16 && input.width <= 64; }
  // Of such a copy of a plane of the input, or of the output, at most.
  int64_t padded_elements() const {
    const int64_t height = input.height > output.height ? input.height : output.height;
    const int64_t width = input.width > output.width ? input.width : output.width;
    const int64_t beside = 2 * reach_width() + stride_width + padding_width + padding_right + 2;
    return height * (width + beside) * input.block;
  }
  int64_t taps() const { return static_cast<int64_t>(kernel_height) * kernel_width; }
  // Multiplications.
  int64_t work() const { return output.elements() * taps(); }
};
// The largest kernel and stride, and rows of a kernel times multiplier.
constexpr int64_t depthwise_kernel_max = 16, depthwise_stride_max = 8, depthwise_rows_max = 64;

// A convolution between maps in blocks of the same size, that of a vector: 16 where there is
// AVX-512, else 8. Undilated, of stride 1 or 2; of one group, or of several with as many outputs as
// inputs, which then are 4 or 8 and less than a block, and a kernel of grouped_width columns.
struct BlockedShape : ConvolutionWindow {
  MapShape input, output;
  int64_t group = 0;            // channels of each; 0 where there is one group
  int64_t at_once = 2;          // blocks of outputs in registers, at most blocked_vectors()
  bool backward = false;        // the weight is that of the convolution whose backward data this is
  bool adds = false;            // to what the output holds
  float negative_slope = 1.0f;  // of what follows
  int activation = 0;           // another that follows; see activate() in elementwise.h
  float a = 0.0f, b = 0.0f;

  int64_t taps() const { return static_cast<int64_t>(kernel_height) * kernel_width; }
  // What each output is a sum over, in whole blocks.
  int64_t depth() const { return (group > 0 ? group : input.blocks() * input.block) * taps(); }
  // Multiplications.
  int64_t work() const { return output.elements() * depth(); }
  // Of the weight as the kernel takes it.
  int64_t weight_elements() const { return output.blocks() * output.block * depth(); }

  // Blocks of outputs are computed in groups, all of about as many.
  int64_t groups() const { return (output.blocks() + at_once - 1) / at_once; }
  int64_t vectors_of(int64_t group) const { return first_block(group + 1) - first_block(group); }
  int64_t first_block(int64_t group) const { return output.blocks() * group / groups(); }
  // Blocks of inputs whose weights stay near while pixels are gone through.
  int64_t blocks_at_once(int64_t vectors) const {
    const int64_t held = weights_held / (taps() * input.block * vectors * input.block);
    return held > 1 ? held : 1;
  }
  static constexpr int64_t weights_held = 32768;

  // Whether all pixels are as those of one row.
  bool is_flat() const { return is(1, 1, 0) && padding_bottom == 0 && padding_right == 0; }
  // What the kernel reads of an image, and whether that is more than there is.
  int64_t padded_height() const { return (output.height - 1) * stride_height + kernel_height; }
  int64_t padded_width() const { return (output.width - 1) * stride_width + kernel_width; }
  bool pads() const {
    return padding_height > 0 || padding_width > 0 || padded_height() > input.height ||
           padded_width() > input.width;
  }
  int64_t padded_elements() const {
    const int64_t blocks = group > 0 ? 1 : input.blocks();  // at a time
    return pads() ? blocks * padded_height() * padded_width() * input.block : 0;
  }
};
// Blocks of outputs that registers hold at most.
constexpr int64_t blocked_vectors(int64_t block) { return block == 16 ? 4 : 2; }
// Columns of a kernel of several groups.
constexpr int grouped_width = 3;

// One direction of a resize: for output pixel i, weights[i * taps + t] times input pixel
// first[i] + t, for t < count[i].
struct ResizeTable {
  const int32_t *first, *count, *weights;
  int64_t taps, input, output;
  bool identity() const { return input == output; }
};

struct PrepareShape {
  int64_t batch, channels;
  ResizeTable rows, columns;
  int64_t block;       // of the output
  const float *table;  // [channels, 256]: what each 8-bit value becomes
};

struct ResampleShape {
  int64_t planes, height, width, output_height, output_width;
};

// How the sums of a rank's batch become those of all ranks' batches: functions and what they take
// first. Each adds to `count`, the values of a channel. Moments are means and behind them sums of
// squared deviations, of `channels`.
struct NormExchange {
  void *context = nullptr;
  void (*moments)(void *context, double *moments, int64_t channels, double *count) = nullptr;
  void (*sums)(void *context, double *sums, int64_t numbers, double *count) = nullptr;
};

struct NormShape {
  MapShape map;
  float epsilon, momentum;
  int activation;  // what follows; see activate() in elementwise.h
  float a, b;
  bool training;
  NormExchange exchange = {};  // empty: the batch is the rank's own
};

// A piece of one parameter, at most update_chunk elements; what an update does without is null.
struct UpdateChunk {
  float *parameter, *first, *second;
  const float *gradient;
  int64_t count;
};
constexpr int64_t update_chunk = 16384;

// All kernels, K(name, (parameters)): a table for each instruction set has them under these names.
//   activation           y may be x; see activate() in elementwise.h
//   activation_backward  d_x may be d_y
//   clear_padding        0 to the channels that only fill up the last block
//   add, multiply, divide  y may be a or b
//   multiply_gate        y may be x; gate [batch, channels, 1, 1] in blocks of as many
//   dropout              y may be x; settings: see gapcam_program_dropout
//   max_pool             argmax may be null; it holds u8 or i32 (PoolShape::narrow)
//   spatial_sum          weights [height, width], whatever the map's layout
//   resample             planes one after the other; rows and columns as matrices
//   batch_norm           saved receives mean and 1 / deviation; scratch: norm_scratch(map)
//   elements;
//                        `added`, a map that is added before the activation, may be null, or y
//   batch_norm_backward  d_x may be d_y, and null where it is not wanted
//   linear_backward_filter  d_weight and d_bias may be null
//   copy_channels        `count` channels from one map to another, and 0 to what fills up its last
//   depthwise_weight     from [outputs, taps] to blocks of channels, as the others take it
//   depthwise            bias may be null
//   depthwise_backward_data, depthwise_backward_filter
//                        sign and d_bias may be null; sign: the map after the leaky ReLU, if what
//                        arrives is the gradient after it. For their scratch see depthwise.cpp
//   blocked_weight       from [outputs, inputs, taps] to what blocked takes
//   blocked              bias may be null; scratch: padded_elements() for each thread
//   reorder              from the layout of `from` to blocks of `block`, writing the padding
//   adam, sgd, blend     gradients are multiplied with `factor` first
//   sum_squares          of the gradients: one sum for each chunk
//   prepare_images       u8 NHWC to a map; scratch: prepare_scratch() bytes
#define GAPCAM_CPU_KERNELS(K)                                                                      \
  K(activation, (int kind, float a, float b, const float *x, float *y, int64_t count))             \
  K(activation_backward,                                                                           \
    (int kind, float a, float b, const float *known, const float *d_y, float *d_x, int64_t count)) \
  K(clear_padding, (const MapShape &shape, float *y))                                              \
  K(add, (const float *a, const float *b, float *y, int64_t count))                                \
  K(multiply, (const float *a, const float *b, float *y, int64_t count))                           \
  K(divide, (const float *a, const float *b, float *y, int64_t count))                             \
  K(multiply_gate, (const MapShape &shape, const float *x, const float *gate, float *y))           \
  K(gate_gradient, (const MapShape &shape, const float *d_y, const float *x, float *d_gate))       \
  K(max_pool, (const PoolShape &shape, const float *x, float *y, void *argmax))                    \
  K(max_pool_backward, (const PoolShape &shape, const float *d_y, const void *argmax, float *d_x)) \
  K(average_pool, (const MapShape &shape, const float *x, float *y))                               \
  K(average_pool_backward, (const MapShape &shape, const float *d_y, float *d_x))                  \
  K(average_pool2d, (const PoolShape &shape, bool count_include_pad, const float *x, float *y))    \
  K(average_pool2d_backward,                                                                       \
    (const PoolShape &shape, bool count_include_pad, const float *d_y, float *d_x))                \
  K(spatial_sum, (const MapShape &shape, const float *x, const float *weights, float *y))          \
  K(resample, (const ResampleShape &shape, const float *x, const float *rows,                      \
               const float *columns, float *y))                                                    \
  K(shuffle_channels, (const MapShape &shape, int64_t groups, const float *x, float *y))           \
  K(dropout, (const MapShape &map, const DropoutShape &shape, const int32_t *settings,             \
              const float *x, float *y))                                                           \
  K(batch_norm, (const NormShape &shape, const float *x, const float *weight, const float *bias,   \
                 float *running_mean, float *running_variance, const float *added, float *y,       \
                 float *saved, double *scratch))                                                   \
  K(batch_norm_backward, (const NormShape &shape, const float *x, const float *weight,             \
                          const float *bias, const float *saved, const float *d_y, float *d_x,     \
                          float *d_weight, float *d_bias, double *scratch))                        \
  K(linear, (int64_t batch, int64_t inputs, int64_t outputs, const float *x, const float *weight,  \
             const float *bias, float *y))                                                         \
  K(linear_backward_data, (int64_t batch, int64_t inputs, int64_t outputs, const float *d_y,       \
                           const float *weight, float *d_x))                                       \
  K(linear_backward_filter, (int64_t batch, int64_t inputs, int64_t outputs, const float *x,       \
                             const float *d_y, float *d_weight, float *d_bias))                    \
  K(copy_channels, (const MapShape &from, int64_t first_from, const MapShape &to,                  \
                    int64_t first_to, int64_t count, const float *x, float *y))                    \
  K(depthwise_weight, (const DepthwiseShape &shape, const float *plain, float *transformed))       \
  K(depthwise, (const DepthwiseShape &shape, const float *x, const float *weight,                  \
                const float *bias, float *y, float *scratch))                                      \
  K(depthwise_backward_data, (const DepthwiseShape &shape, const float *d_y, const float *sign,    \
                              const float *weight, float *d_x, float *scratch))                    \
  K(depthwise_backward_filter,                                                                     \
    (const DepthwiseShape &shape, const float *x, const float *d_y, const float *sign,             \
     float *d_weight, float *d_bias, float *scratch))                                              \
  K(blocked_weight, (const BlockedShape &shape, const float *plain, float *transformed))           \
  K(blocked, (const BlockedShape &shape, const float *x, const float *weight, const float *bias,   \
              float *y, float *scratch))                                                           \
  K(reorder, (const MapShape &from, int64_t block, const float *x, float *y))                      \
  K(prepare_images,                                                                                \
    (const PrepareShape &shape, const uint8_t *images, float *y, uint8_t *scratch))                \
  K(adam, (const UpdateChunk *chunks, int64_t count, float factor, const float *settings))         \
  K(sgd, (const UpdateChunk *chunks, int64_t count, float factor, const float *settings))          \
  K(blend, (const UpdateChunk *chunks, int64_t count, float factor, const float *settings))        \
  K(sum_squares, (const UpdateChunk *chunks, int64_t count, double *sums))

struct Kernels {
  const char *name;
#define GAPCAM_KERNEL_MEMBER(name, parameters) void(*name) parameters;
  GAPCAM_CPU_KERNELS(GAPCAM_KERNEL_MEMBER)
#undef GAPCAM_KERNEL_MEMBER
};

// The fastest that this machine runs.
const Kernels &kernels();

// "avx512", "avx2" or "generic": what the machine has, and GAPCAM_INSTRUCTION_SET may lower.
const char *instruction_set();

inline size_t norm_scratch(const MapShape &map) {
  return static_cast<size_t>((2 * map.batch + 4) * map.blocks() * map.block);
}
inline size_t norm_saved(const MapShape &map) {
  return static_cast<size_t>(2 * map.blocks() * map.block);
}
inline size_t prepare_scratch(const PrepareShape &shape) {
  return shape.columns.identity() ? 0
                                  : static_cast<size_t>(shape.batch * shape.rows.input *
                                                        shape.columns.output * shape.channels);
}

}  // namespace gapcam::cpu
