// Our depthwise convolution as a program sees it.
#include "convolution.h"
#include "kernels.h"

namespace gapcam::cpu {

namespace {

class DepthwiseConvolution : public Convolution {
 public:
  explicit DepthwiseConvolution(const ConvolutionRequest &request) : request_(request) {
    const ConvolutionShape &s = request.shape;
    static_cast<ConvolutionWindow &>(shape_) = s;
    shape_.input = {s.batch, s.inputs, s.height, s.width, request.input.block};
    shape_.output = {s.batch, s.outputs, s.output_height, s.output_width, request.output.block};
    shape_.multiplier = s.outputs / s.inputs;
    shape_.negative_slope = request.negative_slope;
    shape_.activation = request.activation.kind;
    shape_.a = request.activation.a;
    shape_.b = request.activation.b;
  }

  std::string algorithm() const override { return std::string("depthwise ") + kernels().name; }
  bool fuses_activation() const override { return true; }
  bool fuses_gradient() const override { return !request_.pool; }

  size_t scratch_bytes() const override {
    const int64_t block = shape_.input.block, threads = request_.threads > 1 ? request_.threads : 1;
    // Of each thread: a row of the output, or all of its rows, for each output of a channel.
    int64_t floats = threads * shape_.multiplier * shape_.output.width * block;
    if (request_.direction != Direction::forward) floats *= shape_.output.height;
    if (shape_.pads()) floats += threads * shape_.padded_elements();
    if (request_.direction == Direction::backward_filter) {
      floats += shape_.input.batch * shape_.input.blocks() * shape_.multiplier *
                (shape_.taps() + 1) * block;
    }
    return static_cast<size_t>(floats) * sizeof(float);
  }
  size_t weight_bytes() const override {
    if (request_.direction == Direction::backward_filter) return 0;
    return static_cast<size_t>(shape_.input.blocks() * shape_.input.block * shape_.multiplier *
                               shape_.taps()) *
           sizeof(float);
  }
  void transform_weight(const float *plain, void *transformed, void *) override {
    kernels().depthwise_weight(shape_, plain, static_cast<float *>(transformed));
  }

  void run(const ConvolutionArguments &a) override {
    const auto *weight = static_cast<const float *>(a.weight);
    auto *scratch = static_cast<float *>(a.scratch);
    switch (request_.direction) {
      case Direction::forward:
        kernels().depthwise(shape_, a.input, weight, a.bias, a.output, scratch);
        break;
      case Direction::backward_data:
        kernels().depthwise_backward_data(shape_, a.d_output, a.d_output_sign, weight, a.d_input,
                                          scratch);
        break;
      case Direction::backward_filter:
        kernels().depthwise_backward_filter(shape_, a.input, a.d_output, a.d_output_sign,
                                            a.d_weight, a.d_bias, scratch);
        break;
    }
  }

 private:
  const ConvolutionRequest request_;
  DepthwiseShape shape_;
};

}  // namespace

std::unique_ptr<Convolution> create_depthwise_convolution(const ConvolutionRequest &request) {
  const ConvolutionShape &s = request.shape;
  if (!s.is_depthwise() || request.adds || request.input != request.output) return nullptr;
  if (request.input.block != 8 && request.input.block != 16) return nullptr;
  if (s.kernel_height > depthwise_kernel_max || s.kernel_width > depthwise_kernel_max ||
      s.stride_width > depthwise_stride_max ||
      s.outputs / s.inputs * s.kernel_height > depthwise_rows_max) {
    return nullptr;
  }
  return std::make_unique<DepthwiseConvolution>(request);
}

}  // namespace gapcam::cpu
