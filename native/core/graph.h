// What a recorded program is before a backend compiles it: values, operations, gradients, updates.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "error.h"

namespace gapcam {

class Storage;

enum class DataType { f32 = GAPCAM_F32, u8 = GAPCAM_U8, i32 = GAPCAM_I32 };

inline int64_t size_of(DataType type) { return type == DataType::u8 ? 1 : 4; }

using Shape = std::vector<int64_t>;

// No tensor has more elements, and no operand of an operation a larger dimension: so that what is
// computed of them, also bytes and doubled sizes, fits 64 bits, and a dimension an int.
constexpr int64_t max_elements = int64_t{1} << 40;
constexpr int64_t max_dimension = int64_t{1} << 30;

// Whether the dimensions are positive and their product is at most max_elements.
inline bool countable(const Shape &shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) {
    if (dimension < 1 || __builtin_mul_overflow(count, dimension, &count) || count > max_elements) {
      return false;
    }
  }
  return true;
}

// Of a countable shape, as those of all values are.
inline int64_t element_count(const Shape &shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

inline int64_t byte_count(DataType type, const Shape &shape) {
  return element_count(shape) * size_of(type);
}

// "[64, 3, 224, 224]", for messages.
std::string to_string(const Shape &shape);

// An index into Graph::values.
using ValueId = int;
constexpr ValueId no_value = -1;

struct Value {
  DataType type = DataType::f32;
  Shape shape;                       // logical: NCHW, OIHW; NHWC for u8 images
  std::shared_ptr<Storage> storage;  // set for a tensor of the device, null for one that an
                                     // operation or the backward pass makes
  int producer = -1;                 // index into Graph::operations, or -1
  bool readable = false;             // must hold its value after a run
};

enum class OperationKind {
  prepare_images,
  conv2d,
  leaky_relu,
  batch_norm2d,
  max_pool2d,
  global_average_pool,
  spatial_sum,
  linear,
  cross_entropy
};

const char *to_string(OperationKind kind);

// Operands by kind (no_value where an optional one is absent):
//   prepare_images       inputs: images
//   conv2d, linear       inputs: input, weight, bias
//   leaky_relu           inputs: input
//   batch_norm2d         inputs: input, weight, bias, running mean, running variance
//   max_pool2d           inputs: input
//   global_average_pool  inputs: input
//   spatial_sum          inputs: input, weights
//   cross_entropy        inputs: logits, labels, metrics
struct Operation {
  OperationKind kind{};
  std::vector<ValueId> inputs;
  ValueId output = no_value;

  int kernel_height = 0, kernel_width = 0;
  int stride_height = 1, stride_width = 1;
  int padding_height = 0, padding_width = 0;
  float negative_slope = 1.0f;            // conv2d, leaky_relu, batch_norm2d
  float epsilon = 0.0f, momentum = 0.0f;  // batch_norm2d
  float label_smoothing = 0.0f;           // cross_entropy
  std::vector<float> mean, deviation;     // prepare_images

  // Whether backward must compute the gradient of each input, and whether it
  // passes through this operation at all. Filled in by gapcam_program_backward.
  std::vector<bool> needs_gradient;
  bool differentiated = false;
};

struct Backward {
  bool recorded = false;
  ValueId output = no_value;
  ValueId output_gradient = no_value;  // no_value: ones
  std::vector<ValueId> targets;        // tensors of the device
  std::vector<ValueId> gradients;      // one a target, of its shape, readable
};

enum class UpdateKind { adam, sgd };

struct Update {
  UpdateKind kind{};
  std::vector<ValueId> parameters, gradients;
  std::vector<ValueId> first_moments, second_moments;  // sgd: first only, the momentum buffers
  ValueId settings = no_value;
};

struct Graph {
  bool training = false;
  bool profile = false;
  std::vector<Value> values;
  std::vector<Operation> operations;
  Backward backward;
  std::vector<Update> updates;

  const Value &value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  const Shape &shape(ValueId id) const { return value(id).shape; }
};

}  // namespace gapcam
