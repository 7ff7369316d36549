// A compiled program: an ordered list of steps over one arena of memory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend.h"
#include "convolution.h"
#include "fusion.h"
#include "kernels.h"
#include "schedule.h"
#include "storage.h"
#include "worker.h"

namespace gapcam::cpu {

class CpuDevice;

std::unique_ptr<Executable> compile_program(std::shared_ptr<const Graph> graph,
                                            const CpuDevice &device,
                                            std::shared_ptr<Worker> worker);

class CpuExecutable : public Executable {
 public:
  CpuExecutable(std::shared_ptr<const Graph> graph, const CpuDevice &device,
                std::shared_ptr<Worker> worker);

  void run(uint32_t phases) override;
  void read(ValueId value, void *data, size_t bytes) override;
  std::string describe() const override;

 private:
  // A weight in the form that a convolution takes, and the version that it was made from.
  struct Weight {
    View plain, transformed;
    uint64_t version = 0;
  };

  // A convolution whose batch normalisation is folded into its weight and bias.
  struct Folded {
    View weight, bias;
    std::vector<CpuStorage *> sources;
    uint64_t version = 0;
  };

  // A max pool's argmax and shape, for its backward.
  struct Pooled {
    PoolShape shape;
    View argmax;
    size_t index_bytes = 1;
  };

  // build.cpp
  void build();
  void assign_layouts();
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

  // Starts a step; what is used until its body is set belongs to it.
  Step &begin_step(uint32_t phase, const Node *node, const char *operation);
  View new_map(ValueId value);
  // Memory of a value that an operation reads.
  View input(ValueId value);
  // Memory of a value that an operation writes.
  View output(ValueId value);
  // Where the gradient of `value` goes.
  View gradient_output(ValueId value);
  View gradient_input(ValueId value);
  // As gradient_output, in the memory of the gradient that arrives where that is allowed.
  View gradient_in_place(ValueId value, const View &arriving);
  CpuStorage &external(ValueId value, const char *role) const;
  void transform(Weight &weight, Convolution &convolution);

  MapShape map_shape(ValueId value) const;
  ConvolutionRequest convolution_request(const Node &node) const;
  PoolShape pool_shape(const Operation &operation) const;
  Layout layout(ValueId value) const { return layouts_[static_cast<size_t>(value)]; }
  const Shape &shape(ValueId value) const { return graph_->shape(value); }
  bool fused_into_pool(ValueId value) const;

  void *data(const View &view) const {
    if (view.storage) return static_cast<CpuStorage *>(view.storage)->data<void>();
    if (view.buffer < 0) return nullptr;
    return static_cast<char *>(arena_.data()) + schedule_.offset(view);
  }
  float *f32(const View &view) const { return static_cast<float *>(data(view)); }
  void *scratch() const { return data(schedule_.scratch()); }

  std::shared_ptr<const Graph> graph_;
  std::shared_ptr<Worker> worker_;
  std::shared_ptr<Ledger> ledger_;
  int threads_;
  bool bf16_;
  FusedGraph fused_;
  std::vector<Layout> layouts_;                    // by value
  std::vector<View> values_;                       // by value
  std::vector<View> gradients_;                    // by value: its gradient
  std::unordered_map<ValueId, Pooled> pooled_;     // by the pool's output
  std::unordered_map<ValueId, View> norms_;        // by the norm's output: saved statistics
  std::unordered_map<ValueId, ValueId> unpooled_;  // convolution's output: the pool's, whose
                                                   // backward is left to the convolution
  std::vector<std::shared_ptr<CpuStorage>> staged_;
  Schedule schedule_{64};
  Block arena_;
};

}  // namespace gapcam::cpu
