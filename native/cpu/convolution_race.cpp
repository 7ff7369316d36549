#include "convolution_race.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <limits>

#include "kernels.h"
#include "memory.h"

namespace gapcam::cpu {

namespace {

// Floating-point operations of one timed run, about, for each thread.
constexpr double timed_work = 6e7;
// Pixels at least, where there are so many: over fewer, what is timed is how a weight is read.
constexpr int64_t timed_pixels = 512;

PoolShape pool_of(const ConvolutionRequest &request) {
  const ConvolutionShape &s = request.shape;
  PoolShape pool;
  pool.input = {s.batch, s.outputs, s.output_height, s.output_width, request.output.block};
  pool.output_height = s.output_height / 2;
  pool.output_width = s.output_width / 2;
  pool.kernel_height = pool.kernel_width = pool.stride_height = pool.stride_width = 2;
  return pool;
}

// The two shortest times that something has taken, in seconds.
struct Timing {
  double best = 0.0, second = 0.0;

  template <class Action>
  void take(bool first, const Action &action) {
    const auto start = std::chrono::steady_clock::now();
    action();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (first) best = second = std::numeric_limits<double>::infinity();
    second = std::min(second, std::max(best, taken.count()));
    best = std::min(best, taken.count());
  }
  bool repeated(double tolerance) const { return second <= best * (1.0 + tolerance); }
};

// A contender while it runs.
struct Runner {
  Contender contender;
  Block scratch, weight;
  Timing transform, run;
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
  // with something else then slows all of them, and not the one whose turn it was. Returns whether
  // each was as fast again.
  bool run_all(std::vector<Runner> &runners) {
    const auto start = std::chrono::steady_clock::now();
    for (int round = 0; round < most_rounds; round++) {
      // The first round warms up.
      const bool first = round <= 1;
      for (Runner &c : runners) {
        if (c.weight.bytes() > 0) {
          c.transform.take(first, [&] {
            c.contender.convolution->transform_weight(f32(weight_), c.weight.data(),
                                                      c.scratch.data());
          });
          if (!request_.keep_argmax) forget(c.weight);
        }
        const ConvolutionArguments a = arguments(c);
        c.run.take(first, [&] { c.contender.convolution->run(a); });
      }
      beside_.take(first, [&] { run_beside(); });
      const auto repeated = [&](double tolerance) {
        return std::all_of(runners.begin(), runners.end(),
                           [&](const Runner &c) { return c.run.repeated(tolerance); });
      };
      if (round + 1 < rounds) continue;
      if (repeated(alike)) return true;
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      if (taken.count() > most_seconds) return repeated(almost_alike);
    }
    return false;
  }

  // Seconds of a step with this candidate; `whole` times as much work is done by the request.
  double seconds(const Runner &c, double whole) const {
    // An inference program transforms its weights once.
    const double transform = request_.keep_argmax ? c.transform.best : 0.0;
    double beside = 0.0;
    if (request_.direction == Direction::forward) {
      const bool fuses = request_.activation.is_identity()
                             ? c.contender.convolution->fuses_pool()
                             : c.contender.convolution->fuses_activation();
      if (!fuses) beside = beside_.best;
    } else if (!c.contender.convolution->fuses_gradient()) {
      beside = 0.5 * beside_.best;  // the other direction uses the same
    }
    return transform + whole * (c.run.best + beside);
  }

 private:
  // Rounds at least and at most, and seconds after which there is none but those.
  static constexpr int rounds = 5, most_rounds = 40;
  static constexpr double most_seconds = 0.1;
  // By how much the two shortest times may differ.
  static constexpr double alike = 0.03, almost_alike = 0.15;

  static float *f32(const Block &b) { return static_cast<float *>(b.data()); }
  uint8_t *argmax() const { return static_cast<uint8_t *>(argmax_.data()); }

  ConvolutionArguments arguments(const Runner &c) const {
    ConvolutionArguments a;
    a.weight = c.weight.data();
    a.scratch = c.scratch.data();
    a.input = a.d_input = f32(input_);
    if (request_.direction == Direction::forward) {
      a.bias = request_.bias ? f32(bias_) : nullptr;
      const bool pools = request_.pool && c.contender.convolution->fuses_pool();
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
    if (c.contender.convolution->fuses_gradient()) {
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
      } else if (!request_.activation.is_identity()) {
        const Activation &after = request_.activation;
        kernels().activation(after.kind, after.a, after.b, f32(output_), f32(output_),
                             static_cast<int64_t>(output_.bytes() / sizeof(float)));
      }
    } else if (request_.pool) {
      kernels().max_pool_backward(pool_, f32(gradient_), argmax(), f32(output_));
    } else if (request_.negative_slope != 1.0f) {
      kernels().activation_backward(GAPCAM_LEAKY_RELU, request_.negative_slope, 0.0f, f32(output_),
                                    f32(gradient_), f32(gradient_),
                                    static_cast<int64_t>(output_.bytes() / sizeof(float)));
    }
  }

  // Out of the caches, as an inference program finds a weight that it last read an image ago.
  static void forget(const Block &block) {
#if defined(__x86_64__)
    const auto *line = static_cast<const char *>(block.data());
    for (size_t i = 0; i < block.bytes(); i += 64) _mm_clflush(line + i);
    _mm_mfence();
#else
    (void)block;
#endif
  }

  ConvolutionRequest request_;
  PoolShape pool_;
  Block input_, output_, gradient_, argmax_, weight_, bias_;
  Timing beside_;
};

}  // namespace

ConvolutionRequest shortened(const ConvolutionRequest &request) {
  ConvolutionRequest shorter = request;
  ConvolutionShape &s = shorter.shape;
  const double target = timed_work * request.threads;
  const auto images = static_cast<int64_t>(target / (s.flops() / static_cast<double>(s.batch)));
  const int64_t pixels = s.output_height * s.output_width;
  s.batch = std::clamp<int64_t>(std::max(images, timed_pixels / pixels + 1), 1, s.batch);
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

RaceResult race(const ConvolutionRequest &request, std::vector<Contender> contenders) {
  const ConvolutionRequest shorter = shortened(request);
  std::vector<Runner> runners;
  for (Contender &contender : contenders) {
    Runner runner{std::move(contender), {}, {}, {}, {}};
    runner.scratch = timing_block(runner.contender.convolution->scratch_bytes());
    runner.weight = timing_block(runner.contender.convolution->weight_bytes());
    runners.push_back(std::move(runner));
  }
  Bench bench(shorter);
  const bool repeated = bench.run_all(runners);
  const double whole = request.shape.flops() / shorter.shape.flops();
  const auto best =
      std::min_element(runners.begin(), runners.end(), [&](const Runner &a, const Runner &b) {
        return bench.seconds(a, whole) < bench.seconds(b, whole);
      });
  return {best->contender.name, repeated};
}

}  // namespace gapcam::cpu
