#include "convolutions.h"

#include "lowering.h"

namespace gapcam::cpu {

namespace {

Direction direction_of(const Operation &operation) {
  return operation.as<Conv2dBackwardData>() ? Direction::backward_data : Direction::backward_filter;
}

}  // namespace

// Rewriting changes who makes a map, not how it lies.
const std::vector<Layout> &Convolutions::layouts(const FusedGraph &fused) const {
  if (layouts_.empty()) layouts_ = layouts_of(fused);
  return layouts_;
}

ConvolutionRequest Convolutions::request(const FusedGraph &fused, const Operation &convolution,
                                         Direction direction) const {
  const Conv2d &conv2d = *convolution.as<Conv2d>();
  const ValueId input = convolution.inputs[0].value, output = convolution.outputs[0];
  const Shape &in = fused.graph.shape(input), &out = fused.graph.shape(output);
  ConvolutionRequest request;
  request.direction = direction;
  request.shape.batch = in[0];
  request.shape.inputs = in[1];
  request.shape.height = in[2];
  request.shape.width = in[3];
  request.shape.outputs = out[1];
  request.shape.output_height = out[2];
  request.shape.output_width = out[3];
  request.shape.groups = conv2d.groups;
  static_cast<ConvolutionWindow &>(request.shape) = conv2d.window;
  request.input = layouts(fused)[static_cast<size_t>(input)];
  request.output = layouts(fused)[static_cast<size_t>(output)];
  request.negative_slope = conv2d.activation.is_identity() ? 1.0f : conv2d.activation.a;
  const bool bias = static_cast<bool>(convolution.inputs[2]);
  request.bias = bias || (conv2d.fold && direction != Direction::backward_filter);
  request.adds = conv2d.adds && direction == Direction::forward;
  request.bf16 = bf16_;
  request.threads = threads_;
  request.keep_argmax = fused.graph.has_phase(GAPCAM_BACKWARD);
  request.keep_output = conv2d.pool_after == PoolAfter::none;
  request.pool = conv2d.pool_after == PoolAfter::halving;
  return request;
}

std::shared_ptr<Convolution> Convolutions::choose(const FusedGraph &fused,
                                                  const Operation &convolution,
                                                  Direction direction) {
  auto &chosen = chosen_[{convolution.outputs[0], direction}];
  if (!chosen) chosen = choose_convolution(request(fused, convolution, direction));
  return chosen;
}

Patterns Convolutions::patterns() {
  Patterns patterns;
  patterns.epilogue = [](const Activation &activation) {
    return activation.kind == GAPCAM_LEAKY_RELU;
  };
  patterns.gradient_into_convolution = [this](const FusedGraph &fused,
                                              const std::vector<const Operation *> &directions) {
    for (const Operation *direction : directions) {
      const Operation *convolution = fused.maker(gradient_of_convolution(*direction)->output);
      if (!choose(fused, *convolution, direction_of(*direction))->fuses_gradient()) return false;
    }
    return true;
  };
  patterns.sum_into_convolution = [this](const FusedGraph &fused, const Operation &convolution) {
    return choose(fused, convolution, Direction::forward) != nullptr;
  };
  patterns.pool_into_convolution = [this](const FusedGraph &fused, const Operation &convolution) {
    return choose(fused, convolution, Direction::forward)->fuses_pool();
  };
  return patterns;
}

}  // namespace gapcam::cpu
