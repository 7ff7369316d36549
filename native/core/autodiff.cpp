#include "autodiff.h"

namespace gapcam {

namespace {

size_t at(ValueId value) { return static_cast<size_t>(value); }

[[noreturn]] void refuse(const Operation &operation, size_t input) {
  throw Error(GAPCAM_UNSUPPORTED,
              format("Cannot add backward: %s has no gradient with respect to its input %zu",
                     name_of(operation).c_str(), input));
}

// What has no gradient: images, what forward only looks at, and gradients themselves.
template <class T>
void gradient(Backward &backward, const Operation &operation, const T &) {
  for (size_t i = 0; i < operation.inputs.size(); i++) {
    if (backward.wants(operation.inputs[i])) refuse(operation, i);
  }
}

}  // namespace

Backward::Backward(Graph &graph, ValueId output, ValueId output_gradient,
                   const std::vector<ValueId> &targets)
    : graph_(graph),
      wanted_(graph.values.size(), false),
      gradients_(graph.values.size(), no_value) {
  for (const ValueId target : targets) wanted_[at(target)] = true;
  for (const Operation &operation : graph.operations) {
    for (const Operand &input : operation.inputs) {
      if (!input || !wanted_[at(input.value)]) continue;
      for (const ValueId made : operation.outputs) {
        if (made != no_value) wanted_[at(made)] = true;
      }
    }
  }
  const size_t count = graph.operations.size();
  const Operation first = graph.operations[static_cast<size_t>(graph.value(output).producer)];
  if (wanted_[at(output)]) {
    gradients_[at(output)] = make_gradient({output});
    append(first, OutputGradient{}, {{output_gradient}}, {gradients_[at(output)]});
  }
  for (size_t i = count; i-- > 0;) {
    const Operation operation = graph.operations[i];  // a copy: the list grows
    if (operation.outputs.empty() || operation.outputs[0] == no_value ||
        gradients_[at(operation.outputs[0])] == no_value) {
      continue;
    }
    bool passes = false;
    for (size_t j = 0; j < operation.inputs.size(); j++) {
      if (!wants(operation.inputs[j])) continue;
      if (!is_differentiable(operation.inputs[j].role)) refuse(operation, j);
      passes = true;
    }
    if (!passes) continue;
    std::visit([&](const auto &attributes) { gradient(*this, operation, attributes); },
               operation.attributes);
  }
  for (const ValueId target : targets) gradients_of_targets_.push_back(gradients_[at(target)]);
}

bool Backward::wants(const Operand &operand) const { return operand && wanted_[at(operand.value)]; }

Operand Backward::gradient_of(ValueId value) const { return {gradients_[at(value)], Role::map}; }

void Backward::append(const Operation &forward, Attributes attributes, std::vector<Operand> inputs,
                      std::vector<ValueId> outputs) {
  Operation operation;
  operation.phase = GAPCAM_BACKWARD;
  operation.inputs = std::move(inputs);
  operation.outputs = std::move(outputs);
  operation.attributes = std::move(attributes);
  operation.index = forward.index;
  for (const ValueId made : operation.outputs) {
    if (made != no_value) graph_.value(made).producer = static_cast<int>(graph_.operations.size());
  }
  graph_.operations.push_back(std::move(operation));
}

ValueId Backward::make_gradient(const Operand &operand) {
  if (!wants(operand)) return no_value;
  Value value;
  value.shape = graph_.shape(operand.value);
  value.like = operand.value;
  graph_.values.push_back(std::move(value));
  return static_cast<ValueId>(graph_.values.size()) - 1;
}

void Backward::add(const Operation &forward, const Operand &operand, ValueId contribution) {
  if (contribution == no_value || !wants(operand)) return;
  ValueId &known = gradients_[at(operand.value)];
  if (known == no_value) {
    known = contribution;
    return;
  }
  const ValueId sum = make_gradient(operand);
  append(forward, Binary{GAPCAM_ADD}, {{known}, {contribution}}, {sum});
  known = sum;
}

}  // namespace gapcam
