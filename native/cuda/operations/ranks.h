#pragma once

#include "../nccl_communicator.h"
#include "graph.h"

namespace gapcam::cuda {

// What joins the GPUs of the ranks that a program runs on.
const NcclCommunicator &joined(const Graph &graph);

}  // namespace gapcam::cuda
