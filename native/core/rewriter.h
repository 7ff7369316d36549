// A graph while its operations are rewritten; the rewrites are in fusion.cpp.
#pragma once

#include <algorithm>

#include "fusion.h"

namespace gapcam {

inline size_t at(ValueId value) { return static_cast<size_t>(value); }

inline Conv2dGradient *gradient_of_convolution(Operation &o) {
  return const_cast<Conv2dGradient *>(gradient_of_convolution(static_cast<const Operation &>(o)));
}

// Operations that a rewrite has done away with.
struct Gone {
  const Operation *first = nullptr, *second = nullptr;
  Gone() = default;
  Gone(const Operation *first, const Operation *second = nullptr) : first(first), second(second) {}
};

// A graph being rewritten.
class Rewriter {
 public:
  explicit Rewriter(const Graph &graph) {
    fused.graph = graph;
    auto &operations = fused.graph.operations;
    std::stable_sort(operations.begin(), operations.end(),
                     [](const Operation &a, const Operation &b) { return a.phase < b.phase; });
    fused.count_uses();
  }

  Operation *maker(ValueId value) {
    return const_cast<Operation *>(static_cast<const FusedGraph &>(fused).maker(value));
  }
  // Whether nobody but one operation needs a value.
  bool passed_on(ValueId value) const {
    return fused.readers[at(value)] == 1 && !fused.kept(value);
  }
  // The one operation that needs a value; null if there are others, or none.
  Operation *only_reader(ValueId value) {
    if (!passed_on(value)) return nullptr;
    return &fused.graph.operations[static_cast<size_t>(fused.last_reader[at(value)])];
  }
  // Tries `rewrite` on every operation, again until nothing changes. It returns what is gone.
  template <class Rewrite>
  void each(const Rewrite &rewrite) {
    auto &operations = fused.graph.operations;
    for (size_t i = 0; i < operations.size(); i++) {
      const Gone gone = rewrite(operations[i]);
      if (!gone.first) continue;
      // The later one first, or the other would have moved.
      operations.erase(operations.begin() +
                       (std::max(gone.first, gone.second) - operations.data()));
      if (gone.second) {
        operations.erase(operations.begin() +
                         (std::min(gone.first, gone.second) - operations.data()));
      }
      fused.count_uses();
      i = static_cast<size_t>(-1);
    }
  }

  // Lets `before` make what `after` made, which has the same shape: what lies as the one or is of
  // the one is now of the other.
  void take_output(Operation &before, const Operation &after) {
    const ValueId old = before.outputs[0], made = after.outputs[0];
    before.outputs[0] = made;
    for (Value &value : fused.graph.values) {
      if (value.like == old) value.like = made;
    }
    for (Operation &o : fused.graph.operations) {
      Conv2dGradient *of = gradient_of_convolution(o);
      if (of && of->output == old) of->output = made;
    }
  }

  FusedGraph fused;
};

}  // namespace gapcam
