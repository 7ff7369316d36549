#include "recorder.h"

#include <algorithm>

namespace gapcam {

namespace {

const char *to_string(DataType type) {
  return type == DataType::f32 ? "f32" : type == DataType::u8 ? "u8" : "i32";
}

}  // namespace

Recorder::Recorder(gapcam_handle program, const char *operation)
    : program_(registry().find_program(program)), operation_(operation) {
  lock_ = std::unique_lock(program_->device->mutex);
  require(!program_->executable,
          format("Cannot add %s: the program is already compiled", operation));
}

void Recorder::check(bool condition, const std::string &reason, gapcam_status status) {
  require(condition, format("Cannot add %s: %s", operation_, reason.c_str()), status);
}

ValueId Recorder::use(gapcam_handle handle, const char *role, DataType type) {
  used_.push_back(registry().find_tensor(handle));
  const TensorObject *tensor = used_.back().get();
  check(tensor->type == type,
        format("its %s must be %s, found %s", role, to_string(type), to_string(tensor->type)),
        GAPCAM_INVALID_ARGUMENT);
  if (!tensor->storage) {
    check(tensor->made_by(program_), format("its %s belongs to another program", role),
          GAPCAM_INVALID_ARGUMENT);
    return tensor->value;
  }
  check(tensor->device == program_->device, format("its %s is on another device", role),
        GAPCAM_INVALID_ARGUMENT);
  const auto seen = program_->external.find(tensor->storage.get());
  if (seen != program_->external.end()) return seen->second;
  Value value;
  value.type = tensor->type;
  value.shape = tensor->shape;
  value.storage = tensor->storage;
  value.readable = true;
  const ValueId id = add_value(std::move(value));
  program_->external.emplace(tensor->storage.get(), id);
  return id;
}

ValueId Recorder::use_optional(gapcam_handle handle, const char *role) {
  return handle ? use(handle, role) : no_value;
}

void Recorder::expect_rank(ValueId id, size_t rank, const char *role) {
  check(shape(id).size() == rank, format("its %s must have %zu dimensions, found %s", role, rank,
                                         gapcam::to_string(shape(id)).c_str()));
  for (const int64_t dimension : shape(id)) {
    check(
        dimension <= max_dimension,
        format("its %s %s has a dimension above 2^30", role, gapcam::to_string(shape(id)).c_str()),
        GAPCAM_INVALID_ARGUMENT);
  }
}

void Recorder::expect_shape(ValueId id, const Shape &expected, const char *role) {
  if (id == no_value) return;
  check(shape(id) == expected,
        format("its %s must have the shape %s, found %s", role, gapcam::to_string(expected).c_str(),
               gapcam::to_string(shape(id)).c_str()));
}

Activation Recorder::activation(int32_t kind, float a, float b) {
  check(kind >= GAPCAM_IDENTITY && kind <= GAPCAM_GELU,
        format("its activation must be 0 to %d, found %d", GAPCAM_GELU, kind),
        GAPCAM_INVALID_ARGUMENT);
  Activation activation;
  activation.kind = static_cast<gapcam_activation>(kind);
  if (kind == GAPCAM_LEAKY_RELU) {
    check(a >= 0.0f && a <= 1.0f, format("the negative slope must be between 0 and 1, found %g", a),
          GAPCAM_INVALID_ARGUMENT);
    activation.a = a;
    if (a == 1.0f) activation = {};
  } else if (kind == GAPCAM_CLIP) {
    check(a < b, format("a clip needs a lower bound below the upper, found %g and %g", a, b),
          GAPCAM_INVALID_ARGUMENT);
    activation.a = a;
    activation.b = b;
  }
  return activation;
}

int64_t Recorder::window_count(int64_t size, const Steps &steps, const char *direction) {
  constexpr int64_t most = 4096;
  const auto [kernel, stride, before, after, dilation] = steps;
  const auto between = [](int64_t least, int64_t value) { return value >= least && value <= most; };
  const std::string padding =
      before == after ? format("%d", before) : format("%d and %d", before, after);
  check(between(1, kernel) && between(1, stride) && between(0, before) && between(0, after) &&
            between(1, dilation),
        format("kernel, stride%s and padding must be positive and at most %lld (padding may be 0), "
               "found %lld, %d%s and %s",
               dilation == 1 ? "" : ", dilation", static_cast<long long>(most),
               static_cast<long long>(kernel), stride,
               dilation == 1 ? "" : format(", %d", dilation).c_str(), padding.c_str()),
        GAPCAM_INVALID_ARGUMENT);
  const int64_t reach = (kernel - 1) * dilation + 1, padded = size + before + after;
  check(padded >= reach,
        format("a kernel of %lld%s does not fit an input %s of %lld with padding %s",
               static_cast<long long>(kernel),
               dilation == 1 ? "" : format(", dilated by %d,", dilation).c_str(), direction,
               static_cast<long long>(size), padding.c_str()));
  return (padded - reach) / stride + 1;
}

ValueId Recorder::append(Attributes attributes, std::vector<Operand> inputs, Shape output,
                         std::vector<Value> further) {
  check(countable(output),
        format("its output %s has more than 2^40 elements; use a smaller batch or smaller images",
               gapcam::to_string(output).c_str()),
        GAPCAM_INVALID_ARGUMENT);
  Operation operation;
  operation.attributes = std::move(attributes);
  operation.inputs = std::move(inputs);
  operation.index = graph().recorded;
  for (const Operand &input : operation.inputs) {
    const int producer = input ? graph().value(input.value).producer : -1;
    if (producer < 0) continue;
    // What is made of gradients is made after them.
    operation.phase =
        std::max(operation.phase, graph().operations[static_cast<size_t>(producer)].phase);
  }
  admit(operation);
  Value value;
  value.shape = std::move(output);
  further.insert(further.begin(), std::move(value));
  for (Value &made : further) {
    made.producer = static_cast<int>(graph().operations.size());
    if (!operation.outputs.empty()) made.like = operation.outputs[0];
    operation.outputs.push_back(add_value(std::move(made)));
  }
  const ValueId id = operation.outputs[0];
  graph().operations.push_back(std::move(operation));
  return id;
}

void Recorder::append(Operation operation) {
  admit(operation);
  graph().operations.push_back(std::move(operation));
}

void Recorder::admit(const Operation &operation) {
  // What a program changes, or reads before its first step, is not what it makes itself.
  for (const Operand &input : operation.inputs) {
    const bool ours = input && !graph().value(input.value).storage;
    check(!ours || (input.role != Role::statistic && input.role != Role::state &&
                    input.role != Role::metrics),
          "statistics, metrics, parameters, moments and settings must be tensors of the device",
          GAPCAM_INVALID_ARGUMENT);
  }
  const std::string refusal = program_->device->device->refusal(graph(), operation);
  check(refusal.empty(), refusal, GAPCAM_UNSUPPORTED);
}

gapcam_handle Recorder::finish(Attributes attributes, std::vector<Operand> inputs, Shape output,
                               std::vector<Value> further, const Activation &activation) {
  ValueId id = append(std::move(attributes), std::move(inputs), output, std::move(further));
  if (!activation.is_identity()) id = append(Unary{activation}, {{id, Role::map}}, output);
  graph().recorded++;
  return handle_of(id);
}

ValueId Recorder::add_value(Value value) {
  graph().values.push_back(std::move(value));
  return static_cast<ValueId>(graph().values.size()) - 1;
}

std::function<void()> Recorder::checkpoint() {
  return [this, graph = *program_->graph, external = program_->external] {
    *program_->graph = graph;
    program_->external = external;
  };
}

gapcam_handle Recorder::handle_of(ValueId id) {
  auto tensor = std::make_shared<TensorObject>();
  tensor->device = program_->device;
  tensor->type = graph().value(id).type;
  tensor->shape = graph().value(id).shape;
  tensor->program = program_;
  tensor->value = id;
  return registry().add(tensor, program_.get());
}

}  // namespace gapcam
