#include "graph.h"

#include "elementwise.h"

namespace gapcam {

const char *name_of_activation(int32_t kind) {
  switch (kind) {
    case GAPCAM_IDENTITY:
      return "identity";
    case GAPCAM_LEAKY_RELU:
      return "leaky_relu";
    case GAPCAM_CLIP:
      return "clip";
    case GAPCAM_SIGMOID:
      return "sigmoid";
    case GAPCAM_SILU:
      return "silu";
    case GAPCAM_HARD_SWISH:
      return "hard_swish";
  }
  return "activation";
}

namespace {

// Overloaded on every kind, so that a new one without a name does not compile.
struct Namer {
  std::string operator()(const PrepareImages &) const { return "prepare_images"; }
  std::string operator()(const Conv2d &) const { return "conv2d"; }
  std::string operator()(const Conv2dBackwardData &) const { return "conv2d backward data"; }
  std::string operator()(const Conv2dBackwardFilter &) const { return "conv2d backward filter"; }
  std::string operator()(const Unary &u) const { return name_of_activation(u.activation.kind); }
  std::string operator()(const UnaryBackward &u) const {
    return name_of_activation(u.activation.kind) + std::string(" backward");
  }
  std::string operator()(const Binary &) const { return "add"; }
  std::string operator()(const Concatenate &) const { return "concatenate"; }
  std::string operator()(const Slice &) const { return "slice"; }
  std::string operator()(const MaxPool2d &) const { return "max_pool2d"; }
  std::string operator()(const MaxPool2dBackward &) const { return "max_pool2d backward"; }
  std::string operator()(const GlobalAveragePool &) const { return "global_average_pool"; }
  std::string operator()(const GlobalAveragePoolBackward &) const {
    return "global_average_pool backward";
  }
  std::string operator()(const BatchNorm2d &) const { return "batch_norm2d"; }
  std::string operator()(const BatchNorm2dBackward &) const { return "batch_norm2d backward"; }
  std::string operator()(const SpatialSum &) const { return "spatial_sum"; }
  std::string operator()(const Linear &) const { return "linear"; }
  std::string operator()(const LinearBackward &) const { return "linear backward"; }
  std::string operator()(const CrossEntropy &) const { return "cross_entropy"; }
  std::string operator()(const CrossEntropyBackward &) const { return "cross_entropy backward"; }
  std::string operator()(const OutputGradient &) const { return "output_gradient"; }
  std::string operator()(const Update &u) const {
    return u.kind == Optimiser::adam ? "adam" : "sgd";
  }
};

}  // namespace

// The header of the mathematics knows no other header.
static_assert(static_cast<int>(activation_leaky_relu) == GAPCAM_LEAKY_RELU &&
              static_cast<int>(activation_clip) == GAPCAM_CLIP &&
              static_cast<int>(activation_sigmoid) == GAPCAM_SIGMOID &&
              static_cast<int>(activation_silu) == GAPCAM_SILU &&
              static_cast<int>(activation_hard_swish) == GAPCAM_HARD_SWISH);

std::string to_string(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) {
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  return text + "]";
}

std::string name_of(const Operation &operation) {
  return std::visit(Namer{}, operation.attributes);
}

}  // namespace gapcam
