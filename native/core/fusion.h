// What is done to a graph before it is compiled: operations that can be one become one.
#pragma once

#include <vector>

#include "graph.h"

namespace gapcam {

struct Node {
  Operation operation;
  int index = 0;          // of the first operation in the graph, for names
  bool has_norm = false;  // conv2d of an inference program: followed by this batch norm
  Operation norm;
};

struct FusedGraph {
  std::vector<Node> nodes;
  std::vector<int> consumers;  // by value: how many operations read it
  std::vector<int> consumer;   // by value: index of the last node that reads it, or -1
  std::vector<int> producer;   // by value: index of the node that writes it, or -1
  std::vector<bool> kept;      // by value: must exist in memory, whoever reads it
};

FusedGraph fuse(const Graph &graph);

}  // namespace gapcam
