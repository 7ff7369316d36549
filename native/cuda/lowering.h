// From a graph to steps on the GPU. Each kind of operation is lowered in a file of its own,
// cuda/operations.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "depthwise.h"
#include "graph_lowering.h"
#include "planner.h"
#include "program.h"

namespace gapcam::cuda {

// The address of a view when a program runs.
struct Addresses {
  const Program *program;
  driver::Pointer operator()(const View &view) const { return program->address(view); }
};

class Lowering : public GraphLowering {
 public:
  Lowering(const Graph &graph, Program &program, gapcam_precision precision, Planner &planner);

  // Whether a value of rank 4 lies as maps do; parameters, their gradients and the device's other
  // tensors lie as those do.
  bool is_map(ValueId value) const { return maps_[static_cast<size_t>(value)]; }
  // Between a tensor of the device [n, p, c] of f32 and a map.
  MapCopy map_copy(const Shape &map, bool from_storage) const;
  bool bf16() const { return bf16_; }
  bool tf32() const { return tf32_; }

  // For the operations; see GraphLowering.

  Planner &planner() { return planner_; }
  Addresses addresses() const { return {&program_}; }
  const View &scratch() const { return program_.schedule_.scratch(); }
  const Program &program() const { return program_; }

  int64_t lanes() const { return lanes_; }
  int64_t stored(int64_t channels) const { return (channels + lanes_ - 1) / lanes_ * lanes_; }
  int64_t stored_channels(ValueId value) const { return stored(shape(value)[1]); }
  int64_t pixels(ValueId value) const { return shape(value)[2] * shape(value)[3]; }
  size_t element_bytes() const { return bf16_ ? 2 : 4; }
  // Groups of 16 bytes of a value, in maps or flat.
  int64_t groups(ValueId value) const { return static_cast<int64_t>((bytes(value) + 15) / 16); }
  SumShape sum_shape(int64_t positions, int64_t stored_channels, int values) const {
    return {positions, stored_channels, lanes_, values};
  }
  PoolShape pool_shape(const Window2d &window, ValueId input, ValueId output) const;

  // An operand as a map, if it has rank 4, and as a tensor of the device lies: brought there by a
  // step of its own where it lies otherwise.
  View read_map(const Operand &operand);
  View read_plain(const Operand &operand);
  CudaStorage *storage(const Operand &operand) const;

  // `shaped`: the value whose shape the step's name shows.
  Step &begin(const Operation &operation, const std::string &name, ValueId shaped);
  Step &begin(const Operation &operation);

  using GraphLowering::write;
  // Memory for a value that the step makes, as a map if it has rank 4; empty for no_value.
  View write(ValueId value);
  // As a parameter's gradient.
  View write_plain(ValueId value);
  // In the memory of an operand that nobody needs afterwards, if it can be.
  View write_over(ValueId value, const Operand &operand);
  // Memory of this program between runs.
  View forever(size_t bytes) { return program_.schedule_.make_forever(bytes); }
  View constant(size_t bytes, std::function<std::string()> content);
  void scratch(int64_t bytes);

  void run(std::function<void(const Gpu &)> body, int launches = 1);
  // That the step passes over this once more than once.
  void pass_again(const View &view, int times = 1);

  // What is done before a run when one of the tensors it depends on has changed.
  void prepare(const char *name, std::function<void(const Gpu &)> body);
  void depends_on(CudaStorage *storage);
  // That a step changes a tensor of the device.
  void changes(uint32_t phase, CudaStorage *storage);

  struct Repack {
    View source, target, factor;
    int64_t rows, source_rows, pixels, channels, source_channels;
    bool from_bf16, to_bf16;
  };
  using Chunks = std::vector<std::function<RepackChunk()>>;
  void add_chunks(Chunks &list, const Repack &repack) const;
  // A list of chunks as the kernel takes it.
  View chunk_list(const Chunks &chunks);
  // Done with all others before a run.
  void prepare_repack(const Repack &repack) { add_chunks(repacks_, repack); }

  // The weight and bias that a convolution takes, by its output.
  struct Weight {
    View weight, bias;
  };
  std::map<ValueId, Weight> weights;

 private:
  size_t bytes(ValueId value) const;
  View copied(const Operand &operand, bool to_map);

  Program &program_;
  Planner &planner_;
  bool bf16_, tf32_;
  int64_t lanes_;
  std::vector<bool> maps_;  // by value; see is_map()
  Chunks repacks_;
};

// Why the GPU cannot do an operation; "" if it can.
template <class T>
std::string refusal(const Graph &, const Operation &, const T &) {
  return "";
}
std::string refusal(const Graph &graph, const Operation &operation, const Conv2d &conv2d);
std::string refusal_of(const Graph &graph, const Operation &operation);

// Row-major y [rows, columns] = a [rows, inner] * b [inner, columns], where a or b may lie
// transposed.
struct MatrixProduct {
  int64_t rows, columns, inner;
  bool transpose_a, transpose_b;
};
void multiply(const Gpu &gpu, const MatrixProduct &product, driver::Pointer a, driver::Pointer b,
              driver::Pointer y);

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

}  // namespace gapcam::cuda
