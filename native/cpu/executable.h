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
#include "storage.h"
#include "worker.h"

namespace gapcam::cpu {

class CpuDevice;

std::unique_ptr<Executable> compile_program(std::shared_ptr<const Graph> graph,
                                            const CpuDevice &device,
                                            std::shared_ptr<Worker> worker);

// Where an operand lives: a tensor of the device, or a buffer of the arena.
struct Reference {
  CpuStorage *storage = nullptr;
  int buffer = -1;
  explicit operator bool() const { return storage || buffer >= 0; }
};

class CpuExecutable : public Executable {
 public:
  CpuExecutable(std::shared_ptr<const Graph> graph, const CpuDevice &device,
                std::shared_ptr<Worker> worker);

  void run(uint32_t phases) override;
  void read(ValueId value, void *data, size_t bytes) override;
  std::string describe() const override;

 private:
  // One action of the program.
  struct Step {
    uint32_t phase = 0;
    std::string operation, name, algorithm;
    double flops = 0, bytes = 0;
    std::function<void()> body;
    uint64_t runs = 0;
    double milliseconds = 0;
  };

  // A piece of the arena, alive from step `first` to step `last`.
  struct Buffer {
    size_t bytes = 0, offset = 0;
    int first = -1, last = -1;
    bool forward = false, backward = false;  // phases that use it
    bool forever = false;
  };

  // A weight in the form that a convolution takes, and the version that it was made from.
  struct Weight {
    Reference plain, transformed;
    uint64_t version = 0;
  };

  // A convolution whose batch normalisation is folded into its weight and bias.
  struct Folded {
    Reference weight, bias;
    std::vector<CpuStorage *> sources;
    uint64_t version = 0;
  };

  // A max pool's argmax and shape, for its backward.
  struct Pooled {
    PoolShape shape;
    Reference argmax;
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
  Reference new_buffer(size_t bytes);
  Reference new_map(ValueId value);
  void use(const Reference &reference);
  void use_scratch(size_t bytes) { scratch_bytes_ = std::max(scratch_bytes_, bytes); }
  // Memory of a value that an operation reads.
  Reference input(ValueId value);
  // Memory of a value that an operation writes.
  Reference output(ValueId value);
  // Where the gradient of `value` goes.
  Reference gradient_output(ValueId value);
  Reference gradient_input(ValueId value);
  // As gradient_output, in the memory of the gradient that arrives where that is allowed.
  Reference gradient_in_place(ValueId value, const Reference &arriving);
  CpuStorage &external(ValueId value, const char *role) const;
  void transform(Weight &weight, Convolution &convolution);
  void allocate();

  MapShape map_shape(ValueId value) const;
  ConvolutionRequest convolution_request(const Node &node) const;
  PoolShape pool_shape(const Operation &operation) const;
  Layout layout(ValueId value) const { return layouts_[static_cast<size_t>(value)]; }
  const Shape &shape(ValueId value) const { return graph_->shape(value); }
  bool fused_into_pool(ValueId value) const;

  void *data(const Reference &reference) const {
    if (reference.storage) return reference.storage->data<void>();
    if (reference.buffer < 0) return nullptr;
    return static_cast<char *>(arena_.data()) +
           buffers_[static_cast<size_t>(reference.buffer)].offset;
  }
  float *f32(const Reference &reference) const { return static_cast<float *>(data(reference)); }
  void *scratch() const { return data(scratch_); }

  std::shared_ptr<const Graph> graph_;
  std::shared_ptr<Worker> worker_;
  std::shared_ptr<Ledger> ledger_;
  int threads_;
  bool bf16_;
  FusedGraph fused_;
  std::vector<Layout> layouts_;                    // by value
  std::vector<Reference> values_;                  // by value
  std::vector<Reference> gradients_;               // by value: its gradient
  std::unordered_map<ValueId, Pooled> pooled_;     // by the pool's output
  std::unordered_map<ValueId, Reference> norms_;   // by the norm's output: saved statistics
  std::unordered_map<ValueId, ValueId> unpooled_;  // convolution's output: the pool's, whose
                                                   // backward is left to the convolution
  std::vector<std::shared_ptr<CpuStorage>> staged_;
  std::vector<Step> steps_;
  std::vector<Buffer> buffers_;
  Block arena_;
  Reference scratch_;
  size_t scratch_bytes_ = 0;
};

}  // namespace gapcam::cpu
