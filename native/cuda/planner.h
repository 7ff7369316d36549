// Chooses how a convolution runs, once for each shape: among graphs that do the same (fused, or
// not and followed by a kernel), the plan that is fastest on the device.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plans.h"

namespace gapcam::cuda {

class Planner {
 public:
  // Milliseconds that a plan takes on the device, with the kernel that completes it to `wanted`;
  // infinity if it cannot be run.
  using Timer = std::function<double(const GraphRequest &wanted, const GraphRequest &request,
                                     const Plan &plan)>;

  // `key` names what a choice depends on beside the graphs: device and library versions. Without
  // `timer` (a device that is only described) every variant is planned, the first plan that can be
  // built is chosen, and nothing is cached on disk.
  Planner(const PlanTarget &target, const std::string &key, size_t workspace_limit, Timer timer);

  struct Choice {
    std::vector<GraphRequest> variants;
    size_t variant = 0;
    std::shared_ptr<const Plan> plan;
    std::vector<std::string> refusals;  // why variants and plans were not taken
    // By variant, a plan that can be built; -1 where there is none. Known where nothing is timed.
    std::vector<int64_t> engines, workspaces;
    const GraphRequest &request() const { return variants[variant]; }
    // "cuDNN engine 4, fused", for people.
    std::string describe() const;
  };

  // `variants`, the best first: [0] is what is wanted. Throws GAPCAM_UNSUPPORTED if none can be
  // planned.
  const Choice &choose(const std::vector<GraphRequest> &variants);

  const std::map<std::string, Choice> &choices() const { return choices_; }

 private:
  struct Remembered {
    size_t variant, ordinal;
    int64_t engine;
  };
  bool recall(const std::string &name, Choice &choice);
  void search(Choice &choice);
  void remember(const std::string &name, const Choice &choice);

  const PlanTarget &target_;
  std::string file_;
  size_t workspace_limit_;
  Timer timer_;
  std::map<std::string, Choice> choices_;
  std::map<std::string, Remembered> remembered_;
};

}  // namespace gapcam::cuda
