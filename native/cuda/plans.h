// Convolutions as cuDNN operation graphs, and the plans that run them. The same code plans for an
// open device and for one that is only described, so that plans can be checked on any machine.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "attributes.h"
#include "descriptors.h"

namespace gapcam::cuda {

enum class GraphKind { forward, backward_data, backward_filter };

// One graph. Maps are NHWC of `type`, filters OHWI; channels as stored.
struct GraphRequest : ConvolutionWindow {
  GraphKind kind = GraphKind::forward;
  int64_t batch = 1, inputs = 1, height = 1, width = 1;
  int64_t outputs = 1, output_height = 1, output_width = 1;
  int64_t groups = 1;  // filters have inputs / groups channels
  cudnn::DataType type = cudnn::data_float;
  bool tf32 = false;  // whether f32 may be multiplied as TF32
  // backward_filter: of the gradient, f32 or the maps' type.
  cudnn::DataType gradient_type = cudnn::data_float;
  // Fused into the graph. forward: plus a f32 bias [outputs], plus a map like the output, then the
  // activation; see is_epilogue(). backward_data: plus a map like the input, times a leaky ReLU's
  // gradient, from the map that it made.
  bool bias = false, adds = false;
  Activation activation;

  // By a kernel of our own, which is timed beside cuDNN's plans; see Depthwise.
  bool own = false;

  bool activates() const { return !activation.is_identity(); }
  bool fused() const { return bias || adds || activates(); }
  // Multiplications and additions, alike in all directions.
  double flops() const {
    return 2.0 * static_cast<double>(batch * output_height * output_width) *
           static_cast<double>(weight_elements());
  }
  int64_t weight_elements() const {
    return outputs * (inputs / groups) * kernel_height * kernel_width;
  }
  // "forward [64, 128, 112, 112] 128 x 3 x 3 bias sum leaky_relu 0 bf16": unique among requests.
  std::string name() const;
};

// What a plan's tensors are called when it runs.
enum TensorId : int64_t { id_x = 1, id_w = 2, id_y = 3, id_bias = 4, id_made = 5, id_added = 6 };

// Whether an activation can end a forward graph, and our kernels that do what such a graph does:
// cuDNN has it in one operation, and it keeps the 0 of channels that only fill up.
bool is_epilogue(const Activation &activation);

// The engine of plans that are our own kernels.
constexpr int64_t own_engine = 1 << 20;

struct Plan {
  explicit Plan(OwnedDescriptor made) : descriptor(std::move(made)) {}

  OwnedDescriptor descriptor;
  int64_t workspace = 0;
  int64_t engine = -1;    // cuDNN's number
  int ordinal = 0;        // among the graph's configurations, for the cache
  bool compiled = false;  // whether its kernels are compiled when it is built, which takes a second
  std::shared_ptr<const void> made_of;  // descriptors; that cuDNN keeps them is said nowhere
};

// What restores the plan in another process, with the kernels that were compiled for it; "" if
// cuDNN does not say.
std::string plan_text(const Plan &plan);

// A graph with the configurations that cuDNN proposes for it, best guess first, without those that
// would break the promise of the precision or give other bytes at each run.
class PlannedGraph {
 public:
  // Throws Error (GAPCAM_UNSUPPORTED) if cuDNN refuses the graph.
  PlannedGraph(const PlanTarget &target, const GraphRequest &request);

  size_t count() const { return configurations_.size(); }
  bool compiles(size_t ordinal) const { return configurations_[ordinal].compiled; }
  // Builds the plan of a configuration, or null if its engine declines; `reason` then says why.
  std::unique_ptr<Plan> build(size_t ordinal, std::string *reason = nullptr) const;

 private:
  struct Configuration {
    std::shared_ptr<OwnedDescriptor> descriptor;
    int64_t engine = -1;
    bool compiled = false;
  };
  using Parts = std::vector<std::unique_ptr<OwnedDescriptor>>;

  void propose(cudnn::HeuristicMode mode, const GraphRequest &request);
  OwnedDescriptor &make(cudnn::DescriptorType type);

  const PlanTarget &target_;
  std::shared_ptr<Parts> parts_ = std::make_shared<Parts>();
  OwnedDescriptor *graph_ = nullptr;
  std::vector<Configuration> configurations_;
};

// The plan of a plan_text(), or null if cuDNN does not take it.
std::unique_ptr<Plan> restore_plan(const PlanTarget &target, const std::string &text);

// Runs a plan: `pointers` of the tensors `ids`.
cudnn::Status execute(const Libraries &libraries, cudnn::Handle handle, const Plan &plan,
                      const std::vector<int64_t> &ids, const std::vector<void *> &pointers,
                      void *workspace);

}  // namespace gapcam::cuda
