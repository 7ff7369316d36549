// From a graph to steps on the CPU. Each kind of operation is lowered in a file of its own,
// cpu/operations.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "convolutions.h"
#include "graph_lowering.h"
#include "kernels.h"
#include "program_memory.h"

namespace gapcam::cpu {

class Lowering : public GraphLowering {
 public:
  // Appends the steps to `memory`, which they refer to when they run.
  Lowering(const Graph &graph, ProgramMemory &memory, int threads, bool bf16);

  // How a value of the graph lies.
  Layout layout(ValueId value) const { return layouts_[static_cast<size_t>(value)]; }
  MapShape map_shape(ValueId value) const;
  PoolShape pool_shape(const Window2d &window, ValueId input, ValueId output) const;

  // For the operations; see GraphLowering.

  const ProgramMemory &memory() const { return memory_; }
  Convolutions &convolutions() { return *convolutions_; }

  using GraphLowering::read;
  // A map in a layout, brought into it by a step of its own where it has another.
  View read(const Operand &operand, Layout wanted);
  // In the host's order.
  View read_plain(const Operand &operand) { return read(operand, Layout{}); }
  CpuStorage *storage(const Operand &operand) const;

  Step &begin(const Operation &operation, const std::string &name);
  Step &begin(const Operation &operation) { return begin(operation, name_of(operation)); }

  // Whether a part of a concatenation lies already so many bytes from the begin of the whole.
  bool is_in_place(ValueId part, size_t offset, ValueId whole) const;

  using GraphLowering::write;
  // Memory for a value that the step makes; empty for no_value.
  View write(ValueId value);
  // In the memory of an operand that nobody needs afterwards, if it can be.
  View write_over(ValueId value, const Operand &operand);
  // Memory of this step between runs.
  View forever(size_t bytes) { return use(memory_.schedule.make_forever(bytes)); }
  void scratch(size_t bytes) { memory_.schedule.reserve_scratch(bytes); }

  void run(std::function<void()> body) { memory_.schedule.current().body = std::move(body); }

 private:
  Lowering(const Graph &graph, ProgramMemory &memory, std::unique_ptr<Convolutions> convolutions);

  // Lets whatever makes the parts of concatenations write them where they go; in
  // operations/concatenate.cpp.
  void place_parts();
  size_t bytes_of(ValueId value) const;

  ProgramMemory &memory_;
  std::unique_ptr<Convolutions> convolutions_;
  std::vector<Layout> layouts_;
};

// Why the CPU cannot do an operation; "" if it can.
template <class T>
std::string refusal(const Graph &, const Operation &, const T &) {
  return "";
}

// A convolution whose output lies in blocks that suit the machine decides the layouts.
std::vector<Layout> layouts_of(const FusedGraph &fused);

void lower(Lowering &l, const Operation &o, const PrepareImages &prepare);
void lower(Lowering &l, const Operation &o, const Conv2d &conv2d);
void lower(Lowering &l, const Operation &o, const Conv2dBackwardData &conv2d);
void lower(Lowering &l, const Operation &o, const Conv2dBackwardFilter &conv2d);
void lower(Lowering &l, const Operation &o, const Unary &unary);
void lower(Lowering &l, const Operation &o, const UnaryBackward &unary);
void lower(Lowering &l, const Operation &o, const Binary &binary);
void lower(Lowering &l, const Operation &o, const GateGradient &gradient);
void lower(Lowering &l, const Operation &o, const Reshape &reshape);
void lower(Lowering &l, const Operation &o, const Concatenate &concatenate);
void lower(Lowering &l, const Operation &o, const Slice &slice);
void lower(Lowering &l, const Operation &o, const SliceBackward &slice);
void lower(Lowering &l, const Operation &o, const ChannelShuffle &shuffle);
void lower(Lowering &l, const Operation &o, const Dropout &dropout);
void lower(Lowering &l, const Operation &o, const MaxPool2d &pool);
void lower(Lowering &l, const Operation &o, const MaxPool2dBackward &pool);
void lower(Lowering &l, const Operation &o, const AveragePool2d &pool);
void lower(Lowering &l, const Operation &o, const AveragePool2dBackward &pool);
void lower(Lowering &l, const Operation &o, const GlobalAveragePool &pool);
void lower(Lowering &l, const Operation &o, const GlobalAveragePoolBackward &pool);
void lower(Lowering &l, const Operation &o, const SpatialSum &sum);
void lower(Lowering &l, const Operation &o, const Resample &resample);
void lower(Lowering &l, const Operation &o, const BatchNorm2d &norm);
void lower(Lowering &l, const Operation &o, const BatchNorm2dBackward &norm);
void lower(Lowering &l, const Operation &o, const Linear &linear);
void lower(Lowering &l, const Operation &o, const LinearBackward &linear);
void lower(Lowering &l, const Operation &o, const Loss &loss);
void lower(Lowering &l, const Operation &o, const LossBackward &loss);
void lower(Lowering &l, const Operation &o, const OutputGradient &seed);
void lower(Lowering &l, const Operation &o, const WholeBatch &whole);
void lower(Lowering &l, const Operation &o, const AllReduce &sum);
void lower(Lowering &l, const Operation &o, const GradientNorm &norm);
void lower(Lowering &l, const Operation &o, const Update &update);

}  // namespace gapcam::cpu
