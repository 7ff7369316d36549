// Our convolution over blocks of channels as a program sees it.
#include <cstring>

#include "convolution.h"
#include "kernels.h"

namespace gapcam::cpu {

namespace {

MapShape map_of(const ConvolutionShape &s, int64_t channels, bool output, Layout layout) {
  return {s.batch, channels, output ? s.output_height : s.height, output ? s.output_width : s.width,
          layout.block};
}

// 0 where there is one group.
int64_t channels_of_group(const ConvolutionShape &s) {
  return s.groups == 1 ? 0 : s.inputs / s.groups;
}

// What both directions have in common.
BlockedShape shape_of(const ConvolutionRequest &request, int64_t at_once) {
  BlockedShape shape;
  static_cast<ConvolutionWindow &>(shape) = request.shape;
  shape.group = channels_of_group(request.shape);
  shape.at_once = at_once;
  return shape;
}

BlockedShape forward_shape(const ConvolutionRequest &request, int64_t at_once) {
  const ConvolutionShape &s = request.shape;
  BlockedShape shape = shape_of(request, at_once);
  shape.input = map_of(s, s.inputs, false, request.input);
  shape.output = map_of(s, s.outputs, true, request.output);
  shape.adds = request.adds;
  shape.negative_slope = request.negative_slope;
  shape.activation = request.activation.kind;
  shape.a = request.activation.a;
  shape.b = request.activation.b;
  return shape;
}

// The convolution, of stride 1, that makes of the gradient of the output that of the input.
BlockedShape backward_shape(const ConvolutionRequest &request, int64_t at_once) {
  const ConvolutionShape &s = request.shape;
  BlockedShape shape = shape_of(request, at_once);
  shape.padding_height = s.kernel_height - 1 - s.padding_height;
  shape.padding_width = s.kernel_width - 1 - s.padding_width;
  shape.padding_bottom = s.kernel_height - 1 - s.padding_bottom;
  shape.padding_right = s.kernel_width - 1 - s.padding_right;
  shape.input = map_of(s, s.outputs, true, request.output);
  shape.output = map_of(s, s.inputs, false, request.input);
  shape.backward = true;
  return shape;
}

class BlockedConvolution : public Convolution {
 public:
  BlockedConvolution(const ConvolutionRequest &request, int64_t at_once)
      : forward_(request.direction == Direction::forward),
        threads_(request.threads),
        shape_(forward_ ? forward_shape(request, at_once) : backward_shape(request, at_once)) {}

  std::string algorithm() const override {
    std::string name = "blocked ";
    if (shape_.group == 0) name += "by " + std::to_string(shape_.at_once) + " ";
    return name + kernels().name;
  }
  bool fuses_activation() const override { return true; }

  size_t scratch_bytes() const override {
    return static_cast<size_t>((threads_ > 1 ? threads_ : 1) * shape_.padded_elements()) *
           sizeof(float);
  }
  size_t weight_bytes() const override {
    return static_cast<size_t>(shape_.weight_elements()) * sizeof(float);
  }
  void transform_weight(const float *plain, void *transformed, void *) override {
    kernels().blocked_weight(shape_, plain, static_cast<float *>(transformed));
  }

  void run(const ConvolutionArguments &a) override {
    const auto *weight = static_cast<const float *>(a.weight);
    auto *scratch = static_cast<float *>(a.scratch);
    if (forward_) {
      kernels().blocked(shape_, a.input, weight, a.bias, a.output, scratch);
    } else {
      kernels().blocked(shape_, a.d_output, weight, nullptr, a.d_input, scratch);
    }
  }

 private:
  const bool forward_;
  const int threads_;
  const BlockedShape shape_;
};

}  // namespace

std::unique_ptr<Convolution> create_blocked_convolution(const ConvolutionRequest &request,
                                                        BlockedTile tile) {
  const ConvolutionShape &s = request.shape;
  const int64_t block = std::strcmp(instruction_set(), "avx512") == 0 ? 16 : 8;
  if (request.direction == Direction::backward_filter || request.bf16) return nullptr;
  if (s.is_dilated()) return nullptr;
  if (s.groups != 1) {
    const int64_t group = channels_of_group(s);
    const bool small = (group == 4 || group == 8) && group < block;
    if (!small || s.inputs != s.outputs || s.kernel_width != grouped_width) return nullptr;
  }
  if (request.input.block != block || request.output.block != block) return nullptr;
  if (s.stride_width > 2 || s.stride_height > 2) return nullptr;
  if (request.direction == Direction::backward_data) {
    if (s.stride_height != 1 || s.stride_width != 1) return nullptr;
    if (s.padding_height >= s.kernel_height || s.padding_width >= s.kernel_width ||
        s.padding_bottom >= s.kernel_height || s.padding_right >= s.kernel_width) {
      return nullptr;
    }
  }
  const int64_t most = blocked_vectors(block);
  if (tile == BlockedTile::long_rows) {
    // Of groups, and where registers hold few, there is one kernel.
    if (most < 4 || s.groups != 1) return nullptr;
    return std::make_unique<BlockedConvolution>(request, 3);
  }
  return std::make_unique<BlockedConvolution>(request, most);
}

}  // namespace gapcam::cpu
