#include "convolutions.h"

#include "lowering.h"

namespace gapcam::cpu {

namespace {

Direction direction_of(const Operation &operation) {
  return operation.as<Conv2dBackwardData>() ? Direction::backward_data : Direction::backward_filter;
}

// Or none.
bool is_leaky(const Activation &activation) {
  return activation.is_identity() || activation.kind == GAPCAM_LEAKY_RELU;
}

// What can be made where the map is made: of 0 it makes 0, as channels that fill up a block are.
bool is_epilogue(const Activation &activation) {
  switch (activation.kind) {
    case GAPCAM_LEAKY_RELU:
    case GAPCAM_SILU:
    case GAPCAM_HARD_SWISH:
    case GAPCAM_GELU:
      return true;
    case GAPCAM_CLIP:
      return activation.a <= 0.0f && activation.b >= 0.0f;
    default:
      return false;
  }
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
  // Of an activation that is no leaky ReLU the backward is an operation of its own.
  const bool leaky = is_leaky(conv2d.activation);
  request.negative_slope = leaky ? conv2d.activation.slope() : 1.0f;
  if (!leaky && direction == Direction::forward) request.activation = conv2d.activation;
  const bool bias = static_cast<bool>(convolution.inputs[2]);
  request.bias = bias || (conv2d.fold && direction != Direction::backward_filter);
  request.adds = conv2d.adds && direction == Direction::forward;
  request.bf16 = bf16_;
  request.threads = threads_;
  request.keep_argmax = fused.graph.has_phase(GAPCAM_BACKWARD);
  request.keep_output = conv2d.pool_after == PoolAfter::none;
  request.pool = leaky && conv2d.pool_after == PoolAfter::halving;
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
  patterns.epilogue = is_epilogue;
  patterns.sum_into_norm = patterns.norm_computes_again = true;
  patterns.gradient_into_convolution = [this](const FusedGraph &fused,
                                              const std::vector<const Operation *> &directions) {
    for (const Operation *direction : directions) {
      const Operation *convolution = fused.maker(gradient_of_convolution(*direction)->output);
      if (!is_leaky(convolution->as<Conv2d>()->activation) ||
          !choose(fused, *convolution, direction_of(*direction))->fuses_gradient()) {
        return false;
      }
    }
    return true;
  };
  patterns.sum_into_convolution = [this](const FusedGraph &fused, const Operation &convolution) {
    return choose(fused, convolution, Direction::forward) != nullptr;
  };
  patterns.pool_into_convolution = [this](const FusedGraph &fused, const Operation &convolution) {
    return is_leaky(convolution.as<Conv2d>()->activation) &&
           choose(fused, convolution, Direction::forward)->fuses_pool();
  };
  return patterns;
}

}  // namespace gapcam::cpu
