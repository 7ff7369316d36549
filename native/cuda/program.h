// A program as steps over one arena of memory: what a graph becomes before memory is given to it.
// Building one needs no GPU, so that the plans of a described device come from the same code.
//
// Feature maps are NHWC of f32 or bf16 with channels in multiples of 16 bytes; everything else is
// f32 as the host sees it, and weights and their gradients are as their CudaStorage is.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "fusion.h"
#include "gpu.h"
#include "planner.h"
#include "schedule.h"
#include "storage.h"

namespace gapcam::cuda {

// How threads are arranged to sum over positions; see kernels.cu.
struct SumShape {
  int64_t columns = 1, blocks = 1, slices = 1, finish_blocks = 1;
  size_t partial_bytes = 0;
};

// Row-major [rows, columns] = a [rows, inner] * b [inner, columns], where a or b may lie
// transposed.
struct MatrixProduct {
  int64_t rows, columns, inner;
  bool transpose_a, transpose_b;
};
void multiply(const Gpu &gpu, const MatrixProduct &product, driver::Pointer a, driver::Pointer b,
              driver::Pointer y);

class Program {
 public:
  Program(std::shared_ptr<const Graph> graph, gapcam_precision precision, Planner &planner);
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  size_t arena_bytes() const { return schedule_.bytes(); }
  // The most that a read of one of its values must convert.
  size_t conversion_bytes() const { return conversion_bytes_; }
  // Gives it memory, once, and fills in what is constant.
  void bind(const Gpu &gpu, driver::Pointer arena);

  Schedule &schedule() { return schedule_; }
  const Schedule &schedule() const { return schedule_; }
  // Steps that prepare weights, needed when one of these tensors has changed.
  std::vector<Step> &preparation() { return preparation_; }
  uint64_t preparation_version() const;
  // Tensors that a phase changes.
  void mark_changed(uint32_t phases) const;
  const std::vector<CudaStorage *> &staged() const { return staged_; }

  // Copies a value to the host.
  void read(const Gpu &gpu, ValueId value, void *data, size_t bytes) const;

 private:
  struct Constant {
    View place;
    std::function<std::string()> content;  // asked for once addresses are known
  };
  // The weight and bias that a convolution takes.
  struct Weight {
    View weight, bias;
  };
  struct Pooled {
    PoolShape shape;
    View argmax;
  };

  // build.cpp
  void build_forward(const Node &node);
  void build_prepare_images(const Node &node);
  void build_conv2d(const Node &node);
  void build_leaky_relu(const Node &node);
  void build_batch_norm(const Node &node);
  void build_max_pool(const Node &node);
  void build_average_pool(const Node &node);
  void build_spatial_sum(const Node &node);
  void build_linear(const Node &node);
  void build_cross_entropy(const Node &node);
  // build_backward.cpp
  void build_backward();
  void seed_gradient();
  void build_conv2d_backward(const Node &node);
  void build_leaky_relu_backward(const Node &node);
  void build_batch_norm_backward(const Node &node);
  void build_max_pool_backward(const Node &node);
  void build_average_pool_backward(const Node &node);
  void build_linear_backward(const Node &node);
  void build_cross_entropy_backward(const Node &node);
  void build_update(const Update &update);
  void import_map(ValueId value);
  void add_bias_gradient(const Node &node, const View &gradient);
  void add_weight_gradient(const Node &node, const View &gradient);

  // Starts a step; what is used until its body is set belongs to it.
  // What the step begun last does.
  void run(std::function<void(const Gpu &)> body);
  // What prepares weights, when one of the device's tensors that it reads has changed.
  void prepare(const char *name, std::function<void(const Gpu &)> body);
  Step &begin_step(uint32_t phase, const Node *node, const char *operation);
  // A buffer for `value`: a map if it has rank 4, else as the host sees it.
  View new_value(ValueId value);
  View new_constant(size_t bytes, std::function<std::string()> content);
  void use_workspace(int64_t bytes);
  View input(ValueId value);
  View output(ValueId value);
  // Where the gradient of `value` goes.
  View gradient_output(ValueId value);
  View gradient_input(ValueId value);
  // As gradient_output, in the memory of the gradient that arrives where that is allowed.
  View gradient_in_place(ValueId value, const View &arriving);
  // After the step that made the gradient of `value`: brings it into a target's form.
  void finish_gradient(ValueId value);
  // The slope of the leaky ReLU whose gradient must still be taken where `value`'s gradient is
  // made, 1 if there is none. Whoever takes it says so.
  float pending_slope(ValueId value) const;
  void take_slope(ValueId value) { sloped_[static_cast<size_t>(value)] = true; }
  // The slope that the operation which made `value` must take itself.
  float remaining_slope(const Operation &operation) const;

  CudaStorage *storage(ValueId value) const;
  CudaStorage *required_storage(ValueId value, const char *role) const;
  SumShape sum_shape(int64_t positions, int64_t stored_channels, int values) const;
  bool is_map(ValueId value) const { return shape(value).size() == 4; }
  const Shape &shape(ValueId value) const { return graph_->shape(value); }
  int64_t stored(int64_t channels) const { return (channels + lanes_ - 1) / lanes_ * lanes_; }
  int64_t stored_channels(ValueId value) const { return stored(shape(value)[1]); }
  int64_t pixels(ValueId value) const { return shape(value)[2] * shape(value)[3]; }
  // Groups of 16 bytes of a value, in maps or flat.
  int64_t groups(ValueId value) const;
  size_t value_bytes(ValueId value) const;
  size_t element_bytes() const { return bf16_ ? 2 : 4; }
  GraphRequest request(const Node &node, GraphKind kind) const;
  // Without the channels that only fill up.
  double convolution_flops(const Operation &operation) const;
  PoolShape pool_shape(const Operation &operation) const;
  NormShape norm_shape(const Operation &operation) const;
  Weight prepare_weight(const Node &node);
  void add_repack(std::vector<std::function<RepackChunk()>> &list, View source, View target,
                  View factor, int64_t rows, int64_t source_rows, int64_t pixels, int64_t channels,
                  int64_t source_channels, bool from_bf16, bool to_bf16) const;
  MapCopy map_copy(const Shape &map, bool from_storage) const;

  driver::Pointer address(const View &view) const {
    if (view.storage) return static_cast<CudaStorage *>(view.storage)->address();
    if (view.buffer < 0) return 0;
    return arena_ + schedule_.offset(view);
  }

  std::shared_ptr<const Graph> graph_;
  Planner &planner_;
  bool bf16_, tf32_;
  int64_t lanes_;
  FusedGraph fused_;
  std::vector<View> values_;                    // by value
  std::vector<View> imported_;                  // by value: a device's tensor as a map
  std::vector<View> gradients_;                 // by value: its gradient
  std::vector<View> targets_;                   // by value: its gradient as the host reads it
  std::vector<bool> sloped_;                    // by value: see pending_slope
  std::unordered_map<ValueId, Pooled> pooled_;  // by the pool's output
  std::unordered_map<ValueId, View> norms_;     // by the norm's output: saved statistics
  std::unordered_map<int, Weight> weights_;     // by node's index
  std::vector<CudaStorage *> staged_, prepared_;
  std::vector<std::pair<uint32_t, CudaStorage *>> changed_;
  std::vector<std::function<RepackChunk()>> repacks_;
  Schedule schedule_{256};
  std::vector<Step> preparation_;
  std::vector<Constant> constants_;
  size_t conversion_bytes_ = 0;
  const Gpu *gpu_ = nullptr;  // set by bind()
  driver::Pointer arena_ = 0;
};

}  // namespace gapcam::cuda
