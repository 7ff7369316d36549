// Appends to a graph the operations that compute gradients. Each kind of operation says in
// core/operations what the gradients of its operands are, once, for every backend.
#pragma once

#include "graph.h"

namespace gapcam {

class Backward {
 public:
  Backward(Graph &graph, ValueId output, ValueId output_gradient,
           const std::vector<ValueId> &targets);

  // The gradient of each target, no_value where it does not influence the output.
  const std::vector<ValueId> &gradients() const { return gradients_of_targets_; }

  // For the rules in core/operations.

  const Graph &graph() const { return graph_; }
  // Whether the gradient of a value is needed, for a target or on the way to one.
  bool wants(const Operand &operand) const;
  // The gradient that arrives: the sum over all uses.
  Operand gradient_of(ValueId value) const;
  // Appends an operation to the backward pass of `forward`.
  void append(const Operation &forward, Attributes attributes, std::vector<Operand> inputs,
              std::vector<ValueId> outputs);
  // A value for the gradient of an operand, no_value if it is not wanted.
  ValueId make_gradient(const Operand &operand);
  // Adds to the gradient of an operand what one use contributes; nothing where that is no_value.
  void add(const Operation &forward, const Operand &operand, ValueId contribution);

 private:
  Graph &graph_;
  std::vector<bool> wanted_;
  std::vector<ValueId> gradients_;  // by value
  std::vector<ValueId> gradients_of_targets_;
};

// The rules, each beside its operation.
void gradient(Backward &backward, const Operation &operation, const Conv2d &conv2d);
void gradient(Backward &backward, const Operation &operation, const Unary &unary);
void gradient(Backward &backward, const Operation &operation, const Binary &binary);
void gradient(Backward &backward, const Operation &operation, const Reshape &reshape);
void gradient(Backward &backward, const Operation &operation, const Concatenate &concatenate);
void gradient(Backward &backward, const Operation &operation, const Slice &slice);
void gradient(Backward &backward, const Operation &operation, const ChannelShuffle &shuffle);
void gradient(Backward &backward, const Operation &operation, const Dropout &dropout);
void gradient(Backward &backward, const Operation &operation, const MaxPool2d &pool);
void gradient(Backward &backward, const Operation &operation, const AveragePool2d &pool);
void gradient(Backward &backward, const Operation &operation, const GlobalAveragePool &pool);
void gradient(Backward &backward, const Operation &operation, const BatchNorm2d &norm);
void gradient(Backward &backward, const Operation &operation, const Linear &linear);
void gradient(Backward &backward, const Operation &operation, const Loss &loss);

}  // namespace gapcam
