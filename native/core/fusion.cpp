#include "fusion.h"

namespace gapcam {

namespace {

size_t at(ValueId value) { return static_cast<size_t>(value); }

void count_uses(const Graph &graph, FusedGraph &fused) {
  const size_t count = graph.values.size();
  fused.consumers.assign(count, 0);
  fused.consumer.assign(count, -1);
  fused.producer.assign(count, -1);
  for (size_t i = 0; i < fused.nodes.size(); i++) {
    const Node &node = fused.nodes[i];
    for (const ValueId input : node.operation.inputs) {
      if (input == no_value) continue;
      fused.consumers[at(input)]++;
      fused.consumer[at(input)] = static_cast<int>(i);
    }
    fused.producer[at(node.operation.output)] = static_cast<int>(i);
  }
  fused.kept.assign(count, false);
  for (size_t i = 0; i < count; i++) fused.kept[i] = graph.values[i].readable;
  if (graph.backward.recorded) {
    fused.kept[at(graph.backward.output)] = true;
    if (graph.backward.output_gradient != no_value) {
      fused.kept[at(graph.backward.output_gradient)] = true;
    }
  }
}

// Whether node `second` is the only reader of what node `first` makes, as its main input.
bool chained(const FusedGraph &fused, const Node &first, const Node &second) {
  const ValueId made = first.operation.output;
  return second.operation.inputs[0] == made && fused.consumers[at(made)] == 1 &&
         !fused.kept[at(made)];
}

bool takes_leaky_relu(const Node &node) {
  return (node.operation.kind == OperationKind::conv2d ||
          node.operation.kind == OperationKind::batch_norm2d) &&
         node.operation.negative_slope == 1.0f;
}

}  // namespace

FusedGraph fuse(const Graph &graph) {
  FusedGraph fused;
  for (size_t i = 0; i < graph.operations.size(); i++) {
    Node node;
    node.operation = graph.operations[i];
    node.index = static_cast<int>(i);
    fused.nodes.push_back(std::move(node));
  }
  const auto merge = [&](auto applies, auto join) {
    for (size_t second = 0; second < fused.nodes.size(); second++) {
      count_uses(graph, fused);
      const int first = fused.producer[at(fused.nodes[second].operation.inputs[0])];
      if (first < 0) continue;
      Node &one = fused.nodes[static_cast<size_t>(first)];
      if (!chained(fused, one, fused.nodes[second]) || !applies(one, fused.nodes[second])) continue;
      join(one, fused.nodes[second]);
      one.operation.output = fused.nodes[second].operation.output;
      fused.nodes.erase(fused.nodes.begin() + static_cast<std::ptrdiff_t>(second));
      second--;
    }
  };
  merge(
      [](const Node &one, const Node &two) {
        return takes_leaky_relu(one) && two.operation.kind == OperationKind::leaky_relu;
      },
      [](Node &one, const Node &two) {
        one.operation.negative_slope = two.operation.negative_slope;
      });
  if (!graph.training && !graph.backward.recorded) {
    merge(
        [](const Node &one, const Node &two) {
          return one.operation.kind == OperationKind::conv2d && !one.has_norm &&
                 one.operation.negative_slope == 1.0f &&
                 two.operation.kind == OperationKind::batch_norm2d;
        },
        [](Node &one, const Node &two) {
          one.has_norm = true;
          one.norm = two.operation;
          one.operation.negative_slope = two.operation.negative_slope;
        });
  }
  count_uses(graph, fused);
  return fused;
}

}  // namespace gapcam
