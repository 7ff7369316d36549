#include "depthwise.h"

#include <algorithm>

namespace gapcam::cuda {

namespace {

constexpr int64_t most_sum_blocks = 512, most_map_blocks = 2048;

int64_t divided(int64_t count, int64_t by) { return (count + by - 1) / by; }

}  // namespace

SumShape::SumShape(int64_t positions, int64_t stored_channels, int64_t lanes, int64_t values) {
  const int64_t groups = stored_channels / lanes;
  while (columns < groups && columns < 32) columns *= 2;
  blocks = divided(groups, columns);
  const int64_t rows = block_threads / columns;
  // So many blocks that enough loads are under way to fill the memory's rate on large GPUs, and no
  // more, since all of their sums are read once more.
  slices = std::clamp<int64_t>(positions / (rows * 8), 1,
                               std::max<int64_t>(64, most_sum_blocks / blocks));
  // As many loads as a thread has under way at once.
  map_slices = std::clamp<int64_t>(positions / (rows * 4), 1,
                                   std::max<int64_t>(64, most_map_blocks / blocks));
  finish_blocks = divided(stored_channels, finish_columns);
  partial_bytes = static_cast<size_t>(slices * values * stored_channels) * sizeof(float);
}

bool Depthwise::serves(const GraphRequest &request) {
  const int64_t taps = int64_t{request.kernel_height} * request.kernel_width;
  const int64_t lanes = request.type == cudnn::data_bfloat16 ? bf16_lanes : f32_lanes;
  return request.groups > 1 && request.groups == request.inputs &&
         request.groups == request.outputs && request.kernel_width <= depthwise_row &&
         taps * lanes <= depthwise_weights;
}

Depthwise::Depthwise(const GraphRequest &request, int64_t channels)
    : activation_(request.activation),
      bf16_(request.type == cudnn::data_bfloat16),
      lanes_(bf16_ ? bf16_lanes : f32_lanes) {
  const auto number = [](int64_t value) { return static_cast<int>(value); };
  DirectShape &s = shape_;
  s.batch = number(request.batch);
  s.inputs = s.outputs = number(channels);
  s.stored_inputs = s.stored_outputs = number(request.inputs);
  s.group_inputs = s.group_outputs = 1;
  s.height = number(request.height);
  s.width = number(request.width);
  s.output_height = number(request.output_height);
  s.output_width = number(request.output_width);
  s.kernel_height = request.kernel_height;
  s.kernel_width = request.kernel_width;
  s.stride_height = request.stride_height;
  s.stride_width = request.stride_width;
  s.padding_height = request.padding_height;
  s.padding_width = request.padding_width;
  s.dilation_height = request.dilation_height;
  s.dilation_width = request.dilation_width;
  const int64_t taps = int64_t{s.kernel_height} * s.kernel_width;
  const int64_t groups = request.inputs / lanes_;
  while (columns_ < groups && columns_ < 32 && columns_ * 2 * lanes_ * taps <= depthwise_weights) {
    columns_ *= 2;
  }
  sum_ = SumShape(request.batch * request.output_height * request.output_width, request.inputs,
                  lanes_, taps);
}

int64_t Depthwise::blocks(int64_t height, int64_t width) const {
  const int64_t strips = shape_.batch * height * divided(width, strip_pixels);
  return divided(shape_.stored_inputs / lanes_, columns_) *
         divided(strips, block_threads / columns_ * strips_each);
}

void Depthwise::forward(const Gpu &gpu, P x, P weight, P bias, P added, P y) const {
  const auto run = [&](const auto &kernel) {
    gpu.launch(kernel, blocks(shape_.output_height, shape_.output_width), 1, x, weight, bias, added,
               y, shape_, columns_, activation_.kind, activation_.a, activation_.b);
  };
  bf16_ ? run(gpu.kernels().depthwise_forward_bf16) : run(gpu.kernels().depthwise_forward_f32);
}

void Depthwise::backward_data(const Gpu &gpu, P d_y, P weight, P added, P made, P d_x) const {
  const auto run = [&](const auto &kernel) {
    gpu.launch(kernel, blocks(shape_.height, shape_.width), 1, d_y, weight, added, made, d_x,
               shape_, columns_, activation_.slope());
  };
  bf16_ ? run(gpu.kernels().depthwise_backward_data_bf16)
        : run(gpu.kernels().depthwise_backward_data_f32);
}

void Depthwise::backward_filter(const Gpu &gpu, P x, P d_y, P partial, P d_weight) const {
  const Kernels &k = gpu.kernels();
  const auto run = [&](const auto &kernel) {
    gpu.launch(kernel, sum_.blocks, sum_.slices * shape_.kernel_height, x, d_y, partial, shape_,
               sum_.slices, sum_.columns);
  };
  if (shape_.kernel_width <= 3) {
    bf16_ ? run(k.depthwise_backward_filter_bf16) : run(k.depthwise_backward_filter_f32);
  } else {
    bf16_ ? run(k.depthwise_backward_filter_wide_bf16) : run(k.depthwise_backward_filter_wide_f32);
  }
  gpu.launch(k.finish_depthwise, sum_.finish_blocks, shape_.kernel_height * shape_.kernel_width,
             partial, d_weight, sum_.slices, shape_.inputs, shape_.stored_inputs);
}

}  // namespace gapcam::cuda
