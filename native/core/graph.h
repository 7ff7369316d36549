// What a recorded program is before a backend compiles it: values, and operations between them.
// Gradients are operations and values like any others; autodiff.h appends them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "attributes.h"
#include "error.h"

namespace gapcam {

class Communicator;
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

struct Value {
  DataType type = DataType::f32;
  Shape shape;                       // logical: NCHW, OIHW; NHWC for u8 images
  std::shared_ptr<Storage> storage;  // set for a tensor of the device, null for what an operation
                                     // makes
  int producer = -1;                 // index into Graph::operations, or -1
  // The value that it lies in memory as: for a gradient, the value that it is the gradient of; for
  // positions of maxima, the maxima.
  ValueId like = no_value;
  bool readable = false;  // must hold its value after a run
};

// What an operand is to an operation; which of them a backend lays out as maps depends on it.
enum class Role {
  map,        // a feature map or a matrix of features, and gradients of such
  parameter,  // weights and biases, as the device's tensors lie
  gradient,   // of a parameter
  statistic,  // running mean or variance: read, and changed when training
  state,      // what an optimiser keeps and changes: moments, its settings
  saved,      // what forward leaves to backward: positions of maxima, a batch's statistics
  images,
  labels,
  metrics
};

// Whether an operation has a gradient with respect to operands of this role.
inline bool is_differentiable(Role role) { return role == Role::map || role == Role::parameter; }

struct Operand {
  ValueId value = no_value;  // no_value: an optional one that is absent
  Role role = Role::map;
  explicit operator bool() const { return value != no_value; }
};

struct Operation {
  uint32_t phase = GAPCAM_FORWARD;
  std::vector<Operand> inputs;
  std::vector<ValueId> outputs;  // no_value: one that nobody wants
  Attributes attributes;
  int index = 0;  // among the operations that the caller recorded, of the one it belongs to

  template <class T>
  const T *as() const {
    return std::get_if<T>(&attributes);
  }
  template <class T>
  T *as() {
    return std::get_if<T>(&attributes);
  }
};

// "leaky_relu", of a gapcam_activation
const char *name_of_activation(int32_t kind);
// "conv2d", "leaky_relu backward"
std::string name_of(const Operation &operation);

struct Graph {
  bool training = false;
  bool profile = false;
  std::shared_ptr<Communicator> communicator;  // of a program that runs alike on every rank
  bool sync_norm = false, fast_sum = false;    // see gapcam_communication_flags
  int recorded = 0;                            // operations that the caller recorded
  std::vector<Value> values;
  std::vector<Operation> operations;

  const Value &value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  Value &value(ValueId id) { return values[static_cast<size_t>(id)]; }
  const Shape &shape(ValueId id) const { return value(id).shape; }
  bool has_phase(uint32_t phase) const {
    for (const Operation &operation : operations) {
      if (operation.phase == phase) return true;
    }
    return false;
  }
};

}  // namespace gapcam
