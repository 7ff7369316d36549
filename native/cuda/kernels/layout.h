// What the host and the kernels agree on: sizes of blocks and structures passed as arguments.
// Included by both, so it uses nothing but built-in types.
#pragma once

namespace gapcam::cuda {

// Threads of a block, for every kernel.
enum { block_threads = 256 };
// Channels of a map are stored in multiples of so many, 16 bytes, and handled so many at a time.
enum { f32_lanes = 4, bf16_lanes = 8 };
// Channels that one block of a kernel that finishes sums handles: 32 bytes of each slice, what
// memory hands out at once. With more, 64 channels would have two blocks, whose threads wait in
// turn.
enum { finish_columns = 8 };
// Elements that one block of a kernel over many tensors handles.
enum { update_chunk = 4096 };
// Words that one launch of write_words carries.
enum { words_per_write = 64 };

struct Words {
  unsigned int word[words_per_write];
};

// A piece of one parameter, at most update_chunk elements; what an update does without is null.
struct UpdateChunk {
  float *parameter, *first, *second;
  const float *gradient;
  long long count;
};

// A piece of a copy between two arrangements of [rows, pixels, channels], with other numbers of
// channels and of rows: `count` elements of the target from `begin` on. What the source lacks is 0.
struct RepackChunk {
  const void *source;
  void *target;
  // May be null: what source elements of each row are multiplied with.
  const float *factor;
  long long begin, count;
  int pixels, source_rows, source_channels, target_channels;
  int from_bf16, to_bf16;  // types; otherwise f32
};

// Copies and converts maps of any layout: element (n, p, c) lies at the sum of its steps.
struct MapCopy {
  long long batch, pixels, channels, filled;  // of the target; channels from `filled` on are 0
  long long source_batch, source_pixel, source_channel;
  long long target_batch, target_pixel, target_channel;
  int channels_innermost;  // which neighbours neighbouring threads take: of the target
};

struct PoolShape {
  int batch, channels, height, width;  // of the input; channels as stored
  int output_height, output_width;
  int kernel_height, kernel_width, stride_height, stride_width, padding_height, padding_width;
  int padding_bottom, padding_right;  // where an average counts it
};

// A convolution that is summed without cuDNN; channels as they are and as stored.
struct DirectShape {
  int batch, inputs, height, width, outputs, output_height, output_width;
  int stored_inputs, stored_outputs, group_inputs, group_outputs;
  int kernel_height, kernel_width, stride_height, stride_width, padding_height, padding_width;
  int dilation_height, dilation_width;
};

// Of convolutions of each channel by itself: pixels of a strip that a thread takes at once, strips
// that it takes one after the other, f32 weights that a block keeps, and the widest filter.
enum { strip_pixels = 4, strips_each = 4, depthwise_weights = 6400, depthwise_row = 7 };

struct NormShape {
  long long positions;  // batch * height * width
  int channels, stored_channels;
  float epsilon, momentum;
  int training;
  // Behind it; see activate() in native/core/elementwise.h.
  int activation;
  float a, b;
};

// One direction of a resize: see native/core/elementwise.h.
struct ResizeTable {
  const int *first, *count, *weights;
  int taps, input, output;
};

// Planes between rows [output_height, height] and columns [width, output_width]; channels as
// stored.
struct ResampleShape {
  int height, width, output_height, output_width, channels;
};

struct LossShape {
  int batch, classes, binary;
  float label_smoothing;
};
// See gapcam_program_loss; labels or targets, and weights, may be null.
struct LossOperands {
  const float *logits;
  const int *labels;
  const float *targets, *weights;
};

}  // namespace gapcam::cuda
