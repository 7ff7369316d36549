#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "cache.h"
#include "convolution.h"
#include "convolution_race.h"
#include "error.h"
#include "kernels.h"
#include "onednn_engine.h"

namespace gapcam::cpu {

namespace {

// Candidates by the names that the cache holds.
constexpr const char *direct = "direct";
constexpr const char *winograd = "winograd";
constexpr const char *blocked = "blocked";
constexpr const char *blocked_long = "blocked in long rows";
constexpr const char *depthwise = "depthwise";

// Change it when a kernel's speed changes, so that old timings are forgotten.
constexpr const char *timing_version = "10";

// Below this a timing is noise.
constexpr double worth_timing = 4e6;

// oneDNN 2's own Winograd is no candidate: it makes 1e-6 of what is exactly 0, which a ReLU behind
// it lets through, and was hardly ever the fastest; oneDNN 3 has none.
std::unique_ptr<Convolution> create(const ConvolutionRequest &request, const std::string &name) {
  if (name == direct) return create_onednn_convolution(request);
#ifdef GAPCAM_WINOGRAD
  if (name == winograd) return create_winograd_convolution(request);
#endif
  if (name == blocked) return create_blocked_convolution(request);
  if (name == blocked_long) return create_blocked_convolution(request, BlockedTile::long_rows);
  if (name == depthwise) return create_depthwise_convolution(request);
  return nullptr;
}

// The candidates that compete with the direct one.
std::vector<const char *> rivals(const ConvolutionRequest &request) {
  std::vector<const char *> found;
  for (const char *name : {winograd, blocked, blocked_long, depthwise}) {
    if (create(request, name)) found.push_back(name);
  }
  return found;
}

const std::string &processor_name() {
  static const std::string name = [] {
    std::string found = "unknown processor";
    std::FILE *file = std::fopen("/proc/cpuinfo", "re");
    if (!file) return found;
    char line[512];
    while (std::fgets(line, sizeof line, file)) {
      const char *colon = std::strchr(line, ':');
      if (std::strncmp(line, "model name", 10) != 0 || !colon) continue;
      found = colon + 2;
      found.erase(std::remove_if(found.begin(), found.end(),
                                 [](char c) { return c == '\n' || c == '"' || c == '\\'; }),
                  found.end());
      break;
    }
    std::fclose(file);
    return found;
  }();
  return name;
}

std::string key_of(const ConvolutionRequest &r) {
  const ConvolutionShape &s = r.shape;
  const char *direction = r.direction == Direction::forward         ? "forward"
                          : r.direction == Direction::backward_data ? "backward data"
                                                                    : "backward filter";
  std::string key = format(
      "%s; %s; %s; %s; %d threads; %s [%lld, %lld, %lld, %lld] -> [%lld, %lld, %lld] kernel %dx%d "
      "stride %dx%d padding %dx%d blocks %lld %lld%s%s%s%s%s",
      timing_version, processor_name().c_str(), instruction_set(), onednn::version().c_str(),
      r.threads, direction, static_cast<long long>(s.batch), static_cast<long long>(s.inputs),
      static_cast<long long>(s.height), static_cast<long long>(s.width),
      static_cast<long long>(s.outputs), static_cast<long long>(s.output_height),
      static_cast<long long>(s.output_width), s.kernel_height, s.kernel_width, s.stride_height,
      s.stride_width, s.padding_height, s.padding_width, static_cast<long long>(r.input.block),
      static_cast<long long>(r.output.block), r.bias ? " bias" : "",
      r.negative_slope != 1.0f ? " leaky" : "", r.pool ? " pool" : "", r.keep_output ? " kept" : "",
      r.keep_argmax ? " training" : "");
  if (r.bf16) key += " bf16";
  if (!r.activation.is_identity()) key += format(" activation %d", r.activation.kind);
  if (s.groups != 1) key += format(" groups %lld", static_cast<long long>(s.groups));
  if (s.is_dilated()) key += format(" dilation %dx%d", s.dilation_height, s.dilation_width);
  if (!s.is_symmetric()) key += format(" to %dx%d", s.padding_bottom, s.padding_right);
  return key;
}

RaceResult fastest(const ConvolutionRequest &request) {
  const ConvolutionRequest shorter = shortened(request);
  std::vector<Contender> contenders;
  std::vector<const char *> names = rivals(shorter);
  names.insert(names.begin(), direct);
  for (const char *name : names) {
    auto convolution = create(shorter, name);
    if (convolution) contenders.push_back({name, std::move(convolution)});
  }
  if (contenders.empty()) return {direct, true};
  return race(request, std::move(contenders));
}

// The choice remembered for `key`, or what `decide` finds, which is then remembered: for other
// processes too, unless its timings are not to be relied on.
std::string remembered_choice(const std::string &key, const std::function<RaceResult()> &decide) {
  // Never destroyed: a program may compile while the process ends.
  static auto *timing = new std::mutex;  // candidates of one convolution at a time
  static auto *table = new ChoiceTable("convolutions.json");
  static auto *here = new std::map<std::string, std::string>;
  std::lock_guard lock(*timing);
  if (const auto found = here->find(key); found != here->end()) return found->second;
  if (const std::string known = table->find(key); !known.empty()) return known;
  const RaceResult result = decide();
  if (result.repeated) return table->keep(key, result.fastest);
  return (*here)[key] = result.fastest;
}

}  // namespace

std::string convolution_wish() {
  const char *value = std::getenv("GAPCAM_CONVOLUTION");
  const std::string wish = value ? value : "";
  if (wish.empty() || wish == direct || wish == winograd || wish == blocked || wish == depthwise) {
    return wish;
  }
  throw Error(GAPCAM_INVALID_ARGUMENT,
              format("Cannot choose convolutions: GAPCAM_CONVOLUTION is \"%s\", expected direct, "
                     "winograd, blocked or depthwise",
                     wish.c_str()));
}

std::unique_ptr<Convolution> choose_convolution(const ConvolutionRequest &request) {
  // Adding makes none of them the fastest that is not.
  ConvolutionRequest alone = request;
  alone.adds = false;
  const std::string wish = convolution_wish();
  const bool contested = wish.empty() && !rivals(alone).empty();
  std::string choice = wish.empty() ? direct : wish;
  if (contested && request.shape.flops() >= worth_timing) {
    choice = remembered_choice(key_of(alone), [&] { return fastest(alone); });
  } else if (contested && request.shape.is_depthwise()) {
    choice = depthwise;
  }
  auto convolution = create(request, choice);
  // A wish that cannot be had falls back, and so does a choice that this library does not know.
  if (!convolution && (!request.adds || !create(alone, choice))) {
    convolution = create(request, direct);
  }
  if (!convolution && !request.adds) {
    throw Error(GAPCAM_UNSUPPORTED,
                "Cannot compile a convolution: oneDNN has no implementation for its shape");
  }
  return convolution;
}

}  // namespace gapcam::cpu
