#include "graph.h"

namespace gapcam {

std::string to_string(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) {
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  return text + "]";
}

const char *to_string(OperationKind kind) {
  switch (kind) {
    case OperationKind::prepare_images:
      return "prepare_images";
    case OperationKind::conv2d:
      return "conv2d";
    case OperationKind::leaky_relu:
      return "leaky_relu";
    case OperationKind::batch_norm2d:
      return "batch_norm2d";
    case OperationKind::max_pool2d:
      return "max_pool2d";
    case OperationKind::global_average_pool:
      return "global_average_pool";
    case OperationKind::spatial_sum:
      return "spatial_sum";
    case OperationKind::linear:
      return "linear";
    case OperationKind::cross_entropy:
      return "cross_entropy";
  }
  return "unknown";
}

}  // namespace gapcam
