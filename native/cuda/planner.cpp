#include "planner.h"

#include <cmath>
#include <limits>
#include <sstream>

#include "error.h"

namespace gapcam::cuda {

namespace {

// Plans to time for each variant: heuristics order them well. Those whose kernels are compiled
// first take a second each, the others nothing.
constexpr size_t most_timed = 8, most_compiled = 3;
// Of a graph below this many operations, some microseconds of a GPU, one is enough: no choice among
// them is worth the seconds.
constexpr double worth_compiling = 1e8;

// What is remembered of a choice: its variant, and the plan's place among cuDNN's and engine.
std::string text_of(const Planner::Choice &choice) {
  return format("%zu %d %lld", choice.variant, choice.plan->ordinal,
                static_cast<long long>(choice.plan->engine));
}

std::string key_of(const std::vector<GraphRequest> &variants) {
  std::string key;
  for (const GraphRequest &variant : variants) key += variant.name() + ";";
  return key;
}

}  // namespace

std::string Planner::Choice::describe() const {
  if (request().own) return "own kernel";
  std::string text = format("cuDNN engine %lld", static_cast<long long>(plan->engine));
  if (variants[0].fused()) text += request().fused() ? ", fused" : ", not fused";
  if (plan->workspace > 0) {
    text += format(", workspace %.1f MiB", static_cast<double>(plan->workspace) / (1 << 20));
  }
  return text;
}

std::string Planner::Choice::why_not_wanted() const {
  if (variant == 0 || engines.empty()) return "";
  if (engines[0] >= 0) return "another variant was faster";
  return wanted_refusal;
}

Planner::Planner(const PlanTarget &target, const std::string &key, size_t workspace_limit,
                 Timer timer)
    : target_(target), workspace_limit_(workspace_limit), timer_(std::move(timer)) {
  if (!timer_) return;
  key_ = format("%016llx", static_cast<unsigned long long>(hash_text(key)));
  remembered_ = std::make_unique<ChoiceTable>("plans-" + key_ + ".json");
}

const Planner::Choice &Planner::choose(const std::vector<GraphRequest> &variants) {
  const std::string key = key_of(variants);
  const auto known = choices_.find(key);
  if (known != choices_.end()) return known->second;
  Choice choice;
  choice.variants = variants;
  const std::string name = format("%016llx", static_cast<unsigned long long>(hash_text(key)));
  // The same choice as in an earlier process, so that the same seed gives the same bytes.
  const std::string earlier = remembered_ ? remembered_->find(name) : "";
  if (earlier.empty() || !recall(name, earlier, choice)) {
    search(choice);
    if (remembered_) {
      const std::string own = text_of(choice);
      const std::string kept = remembered_->keep(name, own, earlier);
      // Another process may have chosen meanwhile.
      Choice other;
      other.variants = variants;
      if (kept != own && recall(name, kept, other)) {
        choice = std::move(other);
      } else {
        keep_text(name, *choice.plan);
      }
    }
  }
  return choices_.emplace(key, std::move(choice)).first->second;
}

std::string Planner::text_file(const std::string &name) const {
  return "plan-" + key_ + "-" + name + ".json";
}

void Planner::keep_text(const std::string &name, const Plan &plan) const {
  if (!plan.compiled) return;
  const std::string text = plan_text(plan);
  if (!text.empty()) write_sealed(text_file(name), text);
}

bool Planner::recall(const std::string &name, const std::string &text, Choice &choice) {
  Remembered one;
  std::istringstream words(text);
  if (!(words >> one.variant >> one.ordinal >> one.engine)) return false;
  if (one.variant >= choice.variants.size()) return false;
  const GraphRequest &request = choice.variants[one.variant];
  std::shared_ptr<const Plan> plan;
  if (request.own) {
    plan = own_plan();
  } else if (const std::string stored = read_sealed(text_file(name)); !stored.empty()) {
    plan = restore(stored, choice.variants[0], request, one);
  }
  if (!plan) {
    const PlannedGraph graph(target_, request);
    if (one.ordinal >= graph.count()) return false;
    plan = graph.build(one.ordinal);
    if (!plan || plan->engine != one.engine) return false;
    keep_text(name, *plan);
  }
  choice.variant = one.variant;
  choice.plan = plan;
  return true;
}

// A plan with its kernels as they were compiled once. Before it is trusted it runs.
std::shared_ptr<const Plan> Planner::restore(const std::string &text, const GraphRequest &wanted,
                                             const GraphRequest &request,
                                             const Remembered &remembered) const {
  std::unique_ptr<Plan> plan = restore_plan(target_, text);
  if (!plan) return nullptr;
  plan->engine = remembered.engine;
  plan->ordinal = static_cast<int>(remembered.ordinal);
  if (!std::isfinite(timer_(wanted, request, *plan))) return nullptr;
  return plan;
}

std::shared_ptr<const Plan> Planner::own_plan() const {
  auto plan = std::make_shared<Plan>(
      OwnedDescriptor(target_.libraries(), cudnn::execution_plan_descriptor));
  plan->engine = own_engine;
  return plan;
}

void Planner::search(Choice &choice) {
  double best = std::numeric_limits<double>::infinity();
  choice.plan = nullptr;
  choice.engines.assign(choice.variants.size(), -1);
  choice.workspaces.assign(choice.variants.size(), 0);
  for (size_t variant = 0; variant < choice.variants.size(); variant++) {
    const GraphRequest &request = choice.variants[variant];
    const auto refuse = [&](const std::string &reason) {
      choice.refusals.push_back(request.name() + ": " + reason);
      if (variant == 0 && choice.wanted_refusal.empty()) choice.wanted_refusal = reason;
    };
    if (request.own) {
      const std::shared_ptr<const Plan> plan = own_plan();
      const double time = timer_ ? timer_(choice.variants[0], request, *plan) : 0.0;
      choice.engines[variant] = own_engine;
      if (!choice.plan || time < best) {
        choice.plan = plan;
        choice.variant = variant;
        best = time;
      }
      continue;
    }
    try {
      const PlannedGraph graph(target_, request);
      if (graph.count() == 0) refuse("cuDNN proposes no permitted engine");
      const size_t compilations = request.flops() < worth_compiling ? 1 : most_compiled;
      size_t tried = 0, compiled = 0;
      for (size_t ordinal = 0; ordinal < graph.count() && tried < most_timed; ordinal++) {
        if (graph.compiles(ordinal) && compiled >= compilations) continue;
        std::string reason;
        std::shared_ptr<const Plan> plan = graph.build(ordinal, &reason);
        if (!plan) {
          refuse(reason);
          continue;
        }
        if (static_cast<size_t>(plan->workspace) > workspace_limit_) {
          refuse("the workspace is too large");
          continue;
        }
        tried++;
        if (plan->compiled) compiled++;
        const double time = timer_ ? timer_(choice.variants[0], request, *plan) : 0.0;
        if (!std::isfinite(time)) {
          refuse("the device does not run it");
          continue;
        }
        if (!choice.plan || time < best) {
          choice.plan = plan;
          choice.variant = variant;
          best = time;
        }
        if (choice.engines[variant] < 0) {
          choice.engines[variant] = plan->engine;
          choice.workspaces[variant] = plan->workspace;
        }
        if (!timer_) break;
      }
    } catch (const Error &error) {
      if (error.status() != GAPCAM_UNSUPPORTED) throw;
      refuse(error.what());
    }
  }
  if (choice.plan) return;
  if (!timer_) {
    // Planned for a description alone: the table shows every graph, also after one is refused.
    choice.plan = std::make_shared<Plan>(
        Plan{OwnedDescriptor(target_.libraries(), cudnn::execution_plan_descriptor)});
    return;
  }
  throw Error(GAPCAM_UNSUPPORTED, format("Cannot plan the convolution %s",
                                         choice.refusals.empty() ? choice.variants[0].name().c_str()
                                                                 : choice.refusals.back().c_str()));
}

}  // namespace gapcam::cuda
