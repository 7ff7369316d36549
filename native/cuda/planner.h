// Chooses how a convolution runs, once for each shape: among graphs that do the same (fused, or
// not and followed by a kernel), the plan that is fastest on the device.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cache.h"
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
  // built is chosen, one that cannot be planned is a choice that is refused(), and nothing is
  // cached on disk.
  Planner(const PlanTarget &target, const std::string &key, size_t workspace_limit, Timer timer);

  struct Choice {
    std::vector<GraphRequest> variants;
    size_t variant = 0;
    std::shared_ptr<const Plan> plan;
    std::vector<std::string> refusals;  // why variants and plans were not taken
    std::string wanted_refusal;         // the first of them that concerns variants[0]
    // By variant, the first plan that can be built; -1 where there is none. Not known of a choice
    // that an earlier process made.
    std::vector<int64_t> engines, workspaces;
    const GraphRequest &request() const { return variants[variant]; }
    bool refused() const { return plan->engine < 0; }
    // "cuDNN engine 4, fused", for people.
    std::string describe() const;
    // Why the wanted variant was not taken; "" if it was, or if nobody remembers.
    std::string why_not_wanted() const;
  };

  // `variants`, the best first: [0] is what is wanted. Throws GAPCAM_UNSUPPORTED if none can be
  // planned.
  const Choice &choose(const std::vector<GraphRequest> &variants);

  const std::map<std::string, Choice> &choices() const { return choices_; }

 private:
  struct Remembered {
    size_t variant = 0, ordinal = 0;
    int64_t engine = 0;
  };
  // Takes the choice that `text` tells of, if it still serves.
  bool recall(const std::string &name, const std::string &text, Choice &choice);
  std::shared_ptr<const Plan> restore(const std::string &text, const GraphRequest &wanted,
                                      const GraphRequest &request,
                                      const Remembered &remembered) const;
  void search(Choice &choice);
  std::shared_ptr<const Plan> own_plan() const;

  std::string text_file(const std::string &name) const;
  void keep_text(const std::string &name, const Plan &plan) const;

  const PlanTarget &target_;
  std::string key_;
  size_t workspace_limit_;
  Timer timer_;
  std::map<std::string, Choice> choices_;
  std::unique_ptr<ChoiceTable> remembered_;  // null where nothing is cached
};

}  // namespace gapcam::cuda
