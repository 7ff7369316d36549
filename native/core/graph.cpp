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
    case GAPCAM_HARD_SIGMOID:
      return "hard_sigmoid";
    case GAPCAM_GELU:
      return "gelu";
  }
  return "activation";
}

namespace {

// The name that every kind has, but for those that are a family.
template <class T>
std::string name_of_kind(const T &) {
  return T::name;
}
std::string name_of_kind(const Unary &unary) { return name_of_activation(unary.activation.kind); }
std::string name_of_kind(const UnaryBackward &unary) {
  return name_of_activation(unary.activation.kind) + std::string(" backward");
}
std::string name_of_kind(const Binary &binary) {
  return binary.kind == GAPCAM_MULTIPLY ? "multiply"
         : binary.kind == GAPCAM_DIVIDE ? "divide"
                                        : "add";
}
std::string name_of_kind(const Update &update) {
  return update.kind == UpdateKind::adam  ? "adam"
         : update.kind == UpdateKind::sgd ? "sgd"
                                          : "blend";
}
std::string name_of_loss(gapcam_loss kind) {
  return kind == GAPCAM_CROSS_ENTROPY ? "cross_entropy" : "binary_cross_entropy";
}
std::string name_of_kind(const Loss &loss) { return name_of_loss(loss.kind); }
std::string name_of_kind(const LossBackward &loss) { return name_of_loss(loss.kind) + " backward"; }

}  // namespace

// The header of the mathematics knows no other header.
static_assert(static_cast<int>(activation_leaky_relu) == GAPCAM_LEAKY_RELU &&
              static_cast<int>(activation_clip) == GAPCAM_CLIP &&
              static_cast<int>(activation_sigmoid) == GAPCAM_SIGMOID &&
              static_cast<int>(activation_silu) == GAPCAM_SILU &&
              static_cast<int>(activation_hard_swish) == GAPCAM_HARD_SWISH &&
              static_cast<int>(activation_hard_sigmoid) == GAPCAM_HARD_SIGMOID &&
              static_cast<int>(activation_gelu) == GAPCAM_GELU);

std::string to_string(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) {
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  return text + "]";
}

std::string name_of(const Operation &operation) {
  return std::visit([](const auto &attributes) { return name_of_kind(attributes); },
                    operation.attributes);
}

}  // namespace gapcam
