// What is done to a graph before it is compiled: operations that can be one become one, forward and
// backward alike. A backend names the patterns that it has kernels for.
#pragma once

#include <functional>
#include <vector>

#include "graph.h"

namespace gapcam {

// The operations of a graph as they are compiled, phase after phase, and who reads what.
struct FusedGraph {
  Graph graph;

  // By value: the operation that makes it, or -1; the last one that reads it, or -1; how many do.
  std::vector<int> producer, last_reader, readers;

  // Whether a value must exist in memory after a run, whoever reads it.
  bool kept(ValueId value) const {
    return graph.value(value).readable || graph.value(value).storage;
  }
  const Operation *maker(ValueId value) const;
  void count_uses();
};

// The attributes of a convolution's backward, or null.
const Conv2dGradient *gradient_of_convolution(const Operation &operation);

struct Patterns {
  // Whether an activation can be the epilogue of a convolution or of a batch normalisation.
  bool (*epilogue)(const Activation &activation) = nullptr;

  // What arrives at a convolution's backward can be the gradient after its activation, and after a
  // max pool that halves; asked with all directions of a convolution that want it.
  std::function<bool(const FusedGraph &, const std::vector<const Operation *> &directions)>
      gradient_into_convolution;
  // A convolution can add another map to what it makes, before its activation; asked with the
  // convolution as it would be. Only where there is no backward pass.
  std::function<bool(const FusedGraph &, const Operation &convolution)> sum_into_convolution;
  // A batch normalisation can do so too, also where there is a backward pass.
  bool sum_into_norm = false;
  // So can a convolution's backward, what other readers of its input make of that one's gradient.
  bool sum_into_gradient = false;
  // A batch normalisation's backward can take the gradient after an activation that needs what it
  // took, and computes that again.
  bool norm_computes_again = false;
  // A convolution can do the max pool that alone reads its output.
  std::function<bool(const FusedGraph &, const Operation &convolution)> pool_into_convolution;

  // Who makes the gradient of a map that an activation made (a convolution's backward, pools) can
  // make the gradient before the activation, of those that this says.
  bool (*activation_into_gradient)(const Activation &activation) = nullptr;
};

FusedGraph fuse(const Graph &graph, const Patterns &patterns);

}  // namespace gapcam
