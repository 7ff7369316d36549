#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <vector>

#include "cache.h"
#include "convolution.h"
#include "error.h"
#include "kernels.h"
#include "memory.h"
#include "onednn_engine.h"

namespace gapcam::cpu {

namespace {

// Candidates by the names that the cache holds.
constexpr const char *direct = "direct";
constexpr const char *winograd = "winograd";
constexpr const char *depthwise = "depthwise";

// Change it when a kernel's speed changes, so that old timings are forgotten.
constexpr const char *timing_version = "4";

// Below this a timing is noise.
constexpr double worth_timing = 4e6;
// Floating-point operations of one timed run, about, for each thread.
constexpr double timed_work = 6e7;

// oneDNN 2's own Winograd is no candidate: it makes 1e-6 of what is exactly 0, which a ReLU behind
// it lets through, and was hardly ever the fastest; oneDNN 3 has none.
std::unique_ptr<Convolution> create(const ConvolutionRequest &request, const std::string &name) {
  if (name == direct) return create_onednn_convolution(request);
#ifdef GAPCAM_WINOGRAD
  if (name == winograd) return create_winograd_convolution(request);
#endif
  if (name == depthwise) return create_depthwise_convolution(request);
  return nullptr;
}

// The candidate that competes with the direct one; null if there is none. They have nothing in
// common: Winograd's takes one group.
const char *rival(const ConvolutionRequest &request) {
  for (const char *name : {winograd, depthwise}) {
    if (create(request, name)) return name;
  }
  return nullptr;
}

// The same convolution over fewer images and rows, since its time grows with both.
ConvolutionRequest shortened(const ConvolutionRequest &request) {
  ConvolutionRequest shorter = request;
  ConvolutionShape &s = shorter.shape;
  const double target = timed_work * request.threads;
  const auto images = static_cast<int64_t>(target / (s.flops() / static_cast<double>(s.batch)));
  s.batch = std::clamp<int64_t>(images, 1, s.batch);
  const auto shorter_height = [&] {
    return s.output_height / 2 + s.reach_height() - 1 - s.padding_height - s.padding_bottom;
  };
  while (s.stride_height == 1 && shorter_height() >= 1 && s.batch == 1 && s.flops() > 2 * target &&
         s.output_height >= 32 && s.output_height % 8 == 0) {
    s.height = shorter_height();
    s.output_height /= 2;
  }
  return shorter;
}

PoolShape pool_of(const ConvolutionRequest &request) {
  const ConvolutionShape &s = request.shape;
  PoolShape pool;
  pool.input = {s.batch, s.outputs, s.output_height, s.output_width, request.output.block};
  pool.output_height = s.output_height / 2;
  pool.output_width = s.output_width / 2;
  pool.kernel_height = pool.kernel_width = pool.stride_height = pool.stride_width = 2;
  return pool;
}

// One candidate, and the shortest that each of its parts has taken, in seconds.
struct Contender {
  const char *name;
  std::unique_ptr<Convolution> convolution;
  Block scratch, weight;
  double transform = 0.0, run = 0.0;
};

Block timing_block(size_t bytes) {
  return Block(std::make_shared<Ledger>(), bytes, "timing a convolution");
}

// Memory for timings, dirty pages and all, shared by the candidates for one request.
class Bench {
 public:
  explicit Bench(const ConvolutionRequest &request) : request_(request), pool_(pool_of(request)) {
    const ConvolutionShape &s = request.shape;
    const auto map = [](int64_t n, int64_t c, int64_t h, int64_t w, Layout layout) {
      return static_cast<size_t>(n * layout.padded_channels(c) * h * w) * sizeof(float);
    };
    input_ = timing_block(map(s.batch, s.inputs, s.height, s.width, request.input));
    output_ =
        timing_block(map(s.batch, s.outputs, s.output_height, s.output_width, request.output));
    gradient_ = timing_block(output_.bytes());
    argmax_ = timing_block(output_.bytes() / sizeof(float));
    weight_ = timing_block(static_cast<size_t>(s.weight_elements()) * sizeof(float));
    bias_ = timing_block(static_cast<size_t>(request.output.padded_channels(s.outputs)) *
                         sizeof(float));
    std::fill_n(f32(input_), input_.bytes() / sizeof(float), 0.5f);
    std::fill_n(f32(output_), output_.bytes() / sizeof(float), 0.5f);
    std::fill_n(f32(gradient_), output_.bytes() / sizeof(float), 0.5f);
    std::fill_n(f32(weight_), weight_.bytes() / sizeof(float), 0.01f);
  }

  // Times every candidate once a round, one after the other: a moment in which the machine is busy
  // with something else then slows all of them, and not the one whose turn it was.
  void race(std::vector<Contender> &contenders) {
    for (int round = 0; round < rounds; round++) {
      // The first round warms up.
      const bool first = round <= 1;
      for (Contender &c : contenders) {
        if (c.weight.bytes() > 0) {
          shorten(c.transform, first, [&] {
            c.convolution->transform_weight(f32(weight_), c.weight.data(), c.scratch.data());
          });
        }
        const ConvolutionArguments a = arguments(c);
        shorten(c.run, first, [&] { c.convolution->run(a); });
      }
      shorten(beside_, first, [&] { run_beside(); });
    }
  }

  // Seconds of a step with this candidate; `whole` times as much work is done by the request.
  double seconds(const Contender &c, double whole) const {
    // An inference program transforms its weights once.
    const double transform = request_.keep_argmax ? c.transform : 0.0;
    double beside = 0.0;
    if (request_.direction == Direction::forward) {
      if (!c.convolution->fuses_pool()) beside = beside_;
    } else if (!c.convolution->fuses_gradient()) {
      beside = 0.5 * beside_;  // the other direction uses the same
    }
    return transform + whole * (c.run + beside);
  }

 private:
  static constexpr int rounds = 6;

  static float *f32(const Block &b) { return static_cast<float *>(b.data()); }
  uint8_t *argmax() const { return static_cast<uint8_t *>(argmax_.data()); }

  ConvolutionArguments arguments(const Contender &c) const {
    ConvolutionArguments a;
    a.weight = c.weight.data();
    a.scratch = c.scratch.data();
    a.input = a.d_input = f32(input_);
    if (request_.direction == Direction::forward) {
      a.bias = request_.bias ? f32(bias_) : nullptr;
      const bool pools = request_.pool && c.convolution->fuses_pool();
      if (!pools || request_.keep_output) a.output = f32(output_);
      if (pools) {
        a.pooled = f32(gradient_);
        a.argmax = request_.keep_argmax ? argmax() : nullptr;
      }
      return a;
    }
    if (request_.direction == Direction::backward_filter) {
      a.d_weight = f32(weight_);
      a.d_bias = request_.bias ? f32(bias_) : nullptr;
    }
    a.d_output = f32(gradient_);
    if (c.convolution->fuses_gradient()) {
      if (request_.negative_slope != 1.0f) a.d_output_sign = f32(output_);
      if (request_.pool) a.d_argmax = argmax();
    }
    return a;
  }

  // What the program does beside a convolution that does not do it.
  void run_beside() {
    if (request_.direction == Direction::forward) {
      if (request_.pool) {
        kernels().max_pool(pool_, f32(output_), f32(gradient_),
                           request_.keep_argmax ? argmax() : nullptr);
      }
    } else if (request_.pool) {
      kernels().max_pool_backward(pool_, f32(gradient_), argmax(), f32(output_));
    } else if (request_.negative_slope != 1.0f) {
      kernels().activation_backward(GAPCAM_LEAKY_RELU, request_.negative_slope, 0.0f, f32(output_),
                                    f32(gradient_), f32(gradient_),
                                    static_cast<int64_t>(output_.bytes() / sizeof(float)));
    }
  }

  template <class Action>
  static void shorten(double &best, bool first, const Action &action) {
    const auto start = std::chrono::steady_clock::now();
    action();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (first || taken.count() < best) best = taken.count();
  }

  ConvolutionRequest request_;
  PoolShape pool_;
  Block input_, output_, gradient_, argmax_, weight_, bias_;
  double beside_ = 0.0;
};

std::string fastest(const ConvolutionRequest &request) {
  const ConvolutionRequest shorter = shortened(request);
  std::vector<Contender> contenders;
  for (const char *name : {direct, rival(shorter)}) {
    if (!name) continue;
    auto convolution = create(shorter, name);
    if (!convolution) continue;
    Contender contender{name, std::move(convolution), {}, {}};
    contender.scratch = timing_block(contender.convolution->scratch_bytes());
    contender.weight = timing_block(contender.convolution->weight_bytes());
    contenders.push_back(std::move(contender));
  }
  if (contenders.empty()) return direct;
  Bench bench(shorter);
  bench.race(contenders);
  const double whole = request.shape.flops() / shorter.shape.flops();
  return std::min_element(contenders.begin(), contenders.end(),
                          [&](const Contender &a, const Contender &b) {
                            return bench.seconds(a, whole) < bench.seconds(b, whole);
                          })
      ->name;
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
  if (s.groups != 1) key += format(" groups %lld", static_cast<long long>(s.groups));
  if (s.is_dilated()) key += format(" dilation %dx%d", s.dilation_height, s.dilation_width);
  if (!s.is_symmetric()) key += format(" to %dx%d", s.padding_bottom, s.padding_right);
  return key;
}

// The choice remembered for `key`, or what `decide` returns, which is then remembered.
std::string remembered_choice(const std::string &key, const std::function<std::string()> &decide) {
  // Never destroyed: a program may compile while the process ends.
  static auto *timing = new std::mutex;  // candidates of one convolution at a time
  static auto *table = new ChoiceTable("convolutions.json");
  std::lock_guard lock(*timing);
  const std::string known = table->find(key);
  return known.empty() ? table->keep(key, decide()) : known;
}

}  // namespace

std::string convolution_wish() {
  const char *value = std::getenv("GAPCAM_CONVOLUTION");
  const std::string wish = value ? value : "";
  if (wish.empty() || wish == direct || wish == winograd || wish == depthwise) return wish;
  throw Error(GAPCAM_INVALID_ARGUMENT,
              format("Cannot choose convolutions: GAPCAM_CONVOLUTION is \"%s\", expected direct, "
                     "winograd or depthwise",
                     wish.c_str()));
}

std::unique_ptr<Convolution> choose_convolution(const ConvolutionRequest &request) {
  // Adding makes none of them the fastest that is not.
  ConvolutionRequest alone = request;
  alone.adds = false;
  const std::string wish = convolution_wish();
  const char *other = wish.empty() ? rival(alone) : nullptr;
  std::string choice = wish.empty() ? direct : wish;
  if (other && request.shape.flops() >= worth_timing) {
    choice = remembered_choice(key_of(alone), [&] { return fastest(alone); });
  } else if (other && request.shape.is_depthwise()) {
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
