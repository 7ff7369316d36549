#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "choice_cache.h"
#include "convolution.h"
#include "error.h"
#include "kernels.h"
#include "memory.h"
#include "onednn_engine.h"

namespace gapcam::cpu {

namespace {

// Candidates by the names that the cache holds.
constexpr const char *direct = "direct";
constexpr const char *onednn_winograd = "onednn winograd";
constexpr const char *winograd = "winograd";

// Change it when a kernel's speed changes, so that old timings are forgotten.
constexpr const char *timing_version = "2";

// Below this a timing is noise.
constexpr double worth_timing = 4e6;
// Floating-point operations of one timed run, about, for each thread.
constexpr double timed_work = 6e7;

std::unique_ptr<Convolution> create(const ConvolutionRequest &request, const std::string &name) {
  if (name == direct) return create_onednn_convolution(request, false);
  const ConvolutionShape &s = request.shape;
  // Both Winograds are for these; asking oneDNN for others costs time.
  if (s.kernel_height != 3 || s.kernel_width != 3 || s.stride_height != 1 || s.stride_width != 1) {
    return nullptr;
  }
  if (request.bf16) return nullptr;
  if (name == onednn_winograd) return create_onednn_convolution(request, true);
#ifdef GAPCAM_WINOGRAD
  if (name == winograd) return create_winograd_convolution(request);
#endif
  return nullptr;
}

// The same convolution over fewer images and rows, since its time grows with both.
ConvolutionRequest shortened(const ConvolutionRequest &request) {
  ConvolutionRequest shorter = request;
  ConvolutionShape &s = shorter.shape;
  const double target = timed_work * request.threads;
  const auto images = static_cast<int64_t>(target / (s.flops() / static_cast<double>(s.batch)));
  s.batch = std::clamp<int64_t>(images, 1, s.batch);
  while (s.stride_height == 1 && s.batch == 1 && s.flops() > 2 * target && s.output_height >= 32 &&
         s.output_height % 8 == 0) {
    s.output_height /= 2;
    s.height = s.output_height + s.kernel_height - 1 - 2 * s.padding_height;
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

// Memory for timings, dirty pages and all, shared by the candidates for one request.
class Bench {
 public:
  explicit Bench(const ConvolutionRequest &request) : request_(request) {
    const ConvolutionShape &s = request.shape;
    const auto map = [](int64_t n, int64_t c, int64_t h, int64_t w, Layout layout) {
      return static_cast<size_t>(n * layout.padded_channels(c) * h * w) * sizeof(float);
    };
    input_ = block(map(s.batch, s.inputs, s.height, s.width, request.input));
    output_ = block(map(s.batch, s.outputs, s.output_height, s.output_width, request.output));
    gradient_ = block(output_.bytes());
    argmax_ = block(output_.bytes() / sizeof(float));
    weight_ = block(static_cast<size_t>(s.outputs * s.inputs * s.kernel_height * s.kernel_width) *
                    sizeof(float));
    bias_ = block(static_cast<size_t>(request.output.padded_channels(s.outputs)) * sizeof(float));
    std::fill_n(f32(input_), input_.bytes() / sizeof(float), 0.5f);
    std::fill_n(f32(output_), output_.bytes() / sizeof(float), 0.5f);
    std::fill_n(f32(gradient_), output_.bytes() / sizeof(float), 0.5f);
    std::fill_n(f32(weight_), weight_.bytes() / sizeof(float), 0.01f);
  }

  // Seconds of one run, and of what the program does before or after where the convolution does
  // not; `whole` times as much work is done by the request itself.
  double seconds(Convolution &convolution, double whole) {
    const Block scratch = block(convolution.scratch_bytes());
    const Block transformed = block(convolution.weight_bytes());
    ConvolutionArguments a;
    a.weight = transformed.data();
    a.scratch = scratch.data();
    double transform = 0.0;
    if (transformed.bytes() > 0) {
      transform = shortest(
          [&] { convolution.transform_weight(f32(weight_), transformed.data(), scratch.data()); });
    }
    // An inference program transforms its weights once.
    if (!request_.keep_argmax) transform = 0.0;
    double beside = 0.0;
    const PoolShape pool = pool_of(request_);
    switch (request_.direction) {
      case Direction::forward:
        a.input = f32(input_);
        a.bias = request_.bias ? f32(bias_) : nullptr;
        if (request_.pool && convolution.fuses_pool()) {
          a.output = request_.keep_output ? f32(output_) : nullptr;
          a.pooled = f32(gradient_);
          a.argmax = request_.keep_argmax ? argmax() : nullptr;
        } else {
          a.output = f32(output_);
          if (request_.pool) {
            beside =
                shortest([&] { kernels().max_pool(pool, f32(output_), f32(gradient_), argmax()); });
          }
        }
        break;
      case Direction::backward_data:
      case Direction::backward_filter:
        a.input = a.d_input = f32(input_);
        if (request_.direction == Direction::backward_filter) {
          a.d_weight = f32(weight_);
          a.d_bias = request_.bias ? f32(bias_) : nullptr;
        }
        a.d_output = f32(gradient_);
        if (convolution.fuses_gradient()) {
          if (request_.negative_slope != 1.0f) a.d_output_sign = f32(output_);
          if (request_.pool) a.d_argmax = argmax();
        } else {
          // Half of it: the other direction uses the same.
          beside = 0.5 * shortest([&] { before_backward(pool); });
        }
        break;
    }
    return transform + whole * (beside + shortest([&] { convolution.run(a); }));
  }

 private:
  static Block block(size_t bytes) {
    return Block(std::make_shared<Ledger>(), bytes, "timing a convolution");
  }
  static float *f32(const Block &b) { return static_cast<float *>(b.data()); }
  uint8_t *argmax() const { return static_cast<uint8_t *>(argmax_.data()); }

  void before_backward(const PoolShape &pool) {
    if (request_.pool) {
      kernels().max_pool_backward(pool, f32(gradient_), argmax(), f32(output_));
    } else if (request_.negative_slope != 1.0f) {
      kernels().leaky_relu_backward(f32(output_), f32(gradient_), f32(gradient_),
                                    static_cast<int64_t>(output_.bytes() / sizeof(float)),
                                    request_.negative_slope);
    }
  }

  // Of three runs after one that warms up.
  template <class Action>
  static double shortest(const Action &action) {
    double best = 0.0;
    for (int i = 0; i < 4; i++) {
      const auto start = std::chrono::steady_clock::now();
      action();
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      if (i == 1 || taken.count() < best) best = taken.count();
    }
    return best;
  }

  ConvolutionRequest request_;
  Block input_, output_, gradient_, argmax_, weight_, bias_;
};

std::string fastest(const ConvolutionRequest &request, const std::vector<const char *> &names) {
  const ConvolutionRequest shorter = shortened(request);
  const double whole = request.shape.flops() / shorter.shape.flops();
  Bench bench(shorter);
  std::string best;
  double best_seconds = 0.0;
  for (const char *name : names) {
    const auto candidate = create(shorter, name);
    if (!candidate) continue;
    const double seconds = bench.seconds(*candidate, whole);
    if (best.empty() || seconds < best_seconds) {
      best = name;
      best_seconds = seconds;
    }
  }
  return best.empty() ? direct : best;
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
  return format(
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
}

}  // namespace

std::unique_ptr<Convolution> choose_convolution(const ConvolutionRequest &request) {
  // GAPCAM_CONVOLUTION=direct or winograd decides where it can.
  const char *wish = std::getenv("GAPCAM_CONVOLUTION");
  std::vector<const char *> names = {direct, onednn_winograd, winograd};
  std::string choice = direct;
  if (wish && std::strcmp(wish, winograd) == 0) {
    names = {winograd, onednn_winograd, direct};
    for (const char *name : names) {
      if (auto convolution = create(request, name)) return convolution;
    }
  } else if (!(wish && std::strcmp(wish, direct) == 0) && request.shape.flops() >= worth_timing &&
             (create(request, onednn_winograd) || create(request, winograd))) {
    choice = remembered_choice(key_of(request), [&] { return fastest(request, names); });
  }
  auto convolution = create(request, choice);
  // A remembered choice that this library does not know falls back.
  if (!convolution) convolution = create(request, direct);
  if (!convolution) {
    throw Error(GAPCAM_UNSUPPORTED,
                "Cannot compile a convolution: oneDNN has no implementation for its shape");
  }
  return convolution;
}

}  // namespace gapcam::cpu
