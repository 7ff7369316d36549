// Times each 3x3 convolution of VGG16, in each direction: ours against oneDNN's direct one, in
// turns within one run, beside the multiply-add peak of the same threads; and compares values that
// ours computes from random normal ones with plain loops in float64.
//   convolution_benchmark [--batch N] [--size PIXELS] [--threads N] [--repeats N] [--layer INDEX]
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "convolution.h"
#include "kernels.h"

namespace {

using namespace gapcam::cpu;

struct Options {
  int64_t batch = 8, size = 224;
  int threads = omp_get_max_threads(), repeats = 3, layer = -1;
};

struct Layer {
  int64_t inputs, outputs, divisor;  // map size: that of the image divided by this
  bool pooled;
};

const Layer layers[] = {
    {64, 64, 1, true},    {64, 128, 2, false},   {128, 128, 2, true},   {128, 256, 4, false},
    {256, 256, 4, false}, {256, 256, 4, true},   {256, 512, 8, false},  {512, 512, 8, false},
    {512, 512, 8, true},  {512, 512, 16, false}, {512, 512, 16, false}, {512, 512, 16, true},
};

const char *direction_names[] = {"forward", "backward data", "backward filter"};

// Zero-filled, 64-byte aligned.
class Memory {
 public:
  explicit Memory(size_t bytes) : data_(std::aligned_alloc(64, (bytes + 127) / 64 * 64)) {
    if (!data_) std::abort();
    std::memset(data_, 0, bytes);
  }
  ~Memory() { std::free(data_); }
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;
  template <class T>
  T *as() const {
    return static_cast<T *>(data_);
  }

 private:
  void *data_;
};

void fill(float *values, int64_t count) {
  static std::mt19937 engine{1};
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < count; i++) values[i] = normal(engine);
}

double now() { return omp_get_wtime(); }

// Independent multiply-adds of vectors as wide as the map's blocks.
template <int Width>
double measure_peak(int threads) {
  typedef float Vector __attribute__((vector_size(Width * 4)));
  constexpr long rounds = 20000000;
  double best = 0;
  for (int repeat = 0; repeat < 5; repeat++) {
    const double start = now();
#pragma omp parallel num_threads(threads)
    {
      // Unlike from the start, or the compiler would see that one chain is enough.
      Vector sum[10];
#pragma GCC unroll 10
      for (int j = 0; j < 10; j++) sum[j] = Vector{} + static_cast<float>(j);
      Vector x = Vector{} + 0.999f, y = Vector{} + 0.001f;
      for (long i = 0; i < rounds; i++) {
#pragma GCC unroll 10
        for (int j = 0; j < 10; j++) sum[j] = sum[j] * x + y;
      }
#pragma GCC unroll 10
      for (int j = 0; j < 10; j++) x += sum[j];
      asm volatile("" : : "m"(x));
    }
    best = std::max(best, threads * rounds * 20.0 * Width / (now() - start));
  }
  return best;
}

struct Candidate {
  std::unique_ptr<Convolution> convolution;
  std::unique_ptr<Memory> weight, scratch;
  double best = 1e30, transform = 1e30;
};

void prepare(Candidate &candidate, const float *plain) {
  candidate.weight = std::make_unique<Memory>(candidate.convolution->weight_bytes());
  candidate.scratch = std::make_unique<Memory>(candidate.convolution->scratch_bytes());
  if (candidate.convolution->weight_bytes() == 0) return;
  for (int i = 0; i < 2; i++) {
    const double start = now();
    candidate.convolution->transform_weight(plain, candidate.weight->as<void>(),
                                            candidate.scratch->as<void>());
    candidate.transform = std::min(candidate.transform, now() - start);
  }
}

Options parse(int count, char **arguments) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const int value = std::atoi(arguments[i + 1]);
    if (std::strcmp(arguments[i], "--batch") == 0) options.batch = value;
    if (std::strcmp(arguments[i], "--size") == 0) options.size = value;
    if (std::strcmp(arguments[i], "--threads") == 0) options.threads = value;
    if (std::strcmp(arguments[i], "--repeats") == 0) options.repeats = value;
    if (std::strcmp(arguments[i], "--layer") == 0) options.layer = value;
  }
  return options;
}

struct Sum {
  double ours = 0, direct = 0, flops = 0;
};

// A map in the benchmark's layout; 0 outside of it.
struct Map {
  const float *data;
  int64_t channels, size, block;
  double at(int64_t n, int64_t c, int64_t y, int64_t x) const {
    if (y < 0 || y >= size || x < 0 || x >= size) return 0.0;
    return data[(((n * (channels / block) + c / block) * size + y) * size + x) * block + c % block];
  }
};

// What `direction` computes at one place, (n, channel, y, x) or (output, input, tap), in float64.
struct Reference {
  const ConvolutionRequest &request;
  Map input, d_output;
  const float *weight, *bias;

  double forward(int64_t n, int64_t o, int64_t y, int64_t x) const {
    double sum = bias[o];
    for (int64_t i = 0; i < input.channels; i++) {
      for (int64_t k = 0; k < 9; k++) {
        sum += input.at(n, i, y + k / 3 - 1, x + k % 3 - 1) *
               static_cast<double>(weight[(o * input.channels + i) * 9 + k]);
      }
    }
    return sum > 0.0 ? sum : sum * static_cast<double>(request.negative_slope);
  }
  double backward_data(int64_t n, int64_t i, int64_t y, int64_t x) const {
    double sum = 0.0;
    for (int64_t o = 0; o < d_output.channels; o++) {
      for (int64_t k = 0; k < 9; k++) {
        sum += d_output.at(n, o, y + 1 - k / 3, x + 1 - k % 3) *
               static_cast<double>(weight[(o * input.channels + i) * 9 + k]);
      }
    }
    return sum;
  }
  double backward_filter(int64_t o, int64_t i, int64_t k) const {
    double sum = 0.0;
    for (int64_t n = 0; n < request.shape.batch; n++) {
      for (int64_t y = 0; y < input.size; y++) {
        for (int64_t x = 0; x < input.size; x++) {
          sum += d_output.at(n, o, y, x) * input.at(n, i, y + k / 3 - 1, x + k % 3 - 1);
        }
      }
    }
    return sum;
  }
};

// Norm of the error over the norm of what is expected, over randomly chosen values of `made`.
double sampled_error(const Reference &reference, Direction direction, const float *made) {
  constexpr int samples = 2000;
  std::mt19937_64 engine{2};
  const auto below = [&](int64_t count) {
    return static_cast<int64_t>(engine() % static_cast<uint64_t>(count));
  };
  const bool filter = direction == Direction::backward_filter;
  const Map &like = direction == Direction::forward ? reference.d_output : reference.input;
  const Map map{made, like.channels, like.size, like.block};
  double difference = 0.0, norm = 0.0;
  for (int sample = 0; sample < samples; sample++) {
    double expected, actual;
    if (filter) {
      const int64_t o = below(reference.d_output.channels), i = below(map.channels), k = below(9);
      expected = reference.backward_filter(o, i, k);
      actual = made[(o * map.channels + i) * 9 + k];
    } else {
      const int64_t n = below(reference.request.shape.batch), c = below(map.channels),
                    y = below(map.size), x = below(map.size);
      expected = direction == Direction::forward ? reference.forward(n, c, y, x)
                                                 : reference.backward_data(n, c, y, x);
      actual = map.at(n, c, y, x);
    }
    difference += (actual - expected) * (actual - expected);
    norm += expected * expected;
  }
  return std::sqrt(difference / norm);
}

void time_layer(const Layer &layer, const Options &options, Sum (&sums)[3]) {
  ConvolutionRequest request;
  ConvolutionShape &s = request.shape;
  s.batch = options.batch;
  s.inputs = layer.inputs;
  s.outputs = layer.outputs;
  s.height = s.width = s.output_height = s.output_width = options.size / layer.divisor;
  s.kernel_height = s.kernel_width = 3;
  s.padding_height = s.padding_width = s.padding_bottom = s.padding_right = 1;
  request.input.block = request.output.block = std::strcmp(instruction_set(), "avx512") ? 8 : 16;
  request.negative_slope = 0.1f;
  request.threads = options.threads;
  const int64_t pixels = s.batch * s.height * s.width;
  const Memory input(static_cast<size_t>(pixels * s.inputs * 4));
  const Memory d_input(static_cast<size_t>(pixels * s.inputs * 4));
  const Memory output(static_cast<size_t>(pixels * s.outputs * 4));
  const Memory d_output(static_cast<size_t>(pixels * s.outputs * 4));
  const Memory pooled(static_cast<size_t>(pixels * s.outputs));
  const Memory argmax(static_cast<size_t>(pixels * s.outputs / 4));
  const int64_t weights = s.inputs * s.outputs * 9;
  const Memory weight(static_cast<size_t>(weights * 4)), d_weight(static_cast<size_t>(weights * 4));
  const Memory bias(static_cast<size_t>(s.outputs * 4)), d_bias(static_cast<size_t>(s.outputs * 4));
  fill(input.as<float>(), pixels * s.inputs);
  fill(d_output.as<float>(), pixels * s.outputs);
  fill(output.as<float>(), pixels * s.outputs);
  fill(pooled.as<float>(), pixels * s.outputs / 4);
  fill(weight.as<float>(), weights);
  fill(bias.as<float>(), s.outputs);
  for (int64_t i = 0; i < pixels * s.outputs / 4; i++) argmax.as<uint8_t>()[i] = (i * 7 >> 2) & 3;

  for (int direction = 0; direction < 3; direction++) {
    request.direction = static_cast<Direction>(direction);
    Candidate candidates[3];  // ours fused, ours alone, oneDNN's direct
    for (int c = 0; c < 3; c++) {
      request.pool = c == 0 && layer.pooled;
      request.keep_output = !request.pool;
      candidates[c].convolution =
          c < 2 ? create_winograd_convolution(request) : create_onednn_convolution(request);
      if (!candidates[c].convolution) {
        std::printf("A convolution is missing on this machine\n");
        std::exit(1);
      }
      prepare(candidates[c], weight.as<float>());
    }
    const auto run = [&](int c) {
      Candidate &candidate = candidates[c];
      ConvolutionArguments a;
      a.input = input.as<float>();
      a.weight = candidate.weight->as<void>();
      a.scratch = candidate.scratch->as<void>();
      a.bias = bias.as<float>();
      a.d_weight = d_weight.as<float>();
      a.d_bias = d_bias.as<float>();
      a.d_input = d_input.as<float>();
      a.d_output = d_output.as<float>();
      const bool pools = c == 0 && layer.pooled;
      if (pools) {
        a.pooled = pooled.as<float>();
        a.argmax = argmax.as<uint8_t>();
      } else {
        a.output = output.as<float>();
      }
      if (c == 0 && direction > 0) {
        a.d_output_sign = pools ? pooled.as<float>() : output.as<float>();
        if (pools) a.d_argmax = argmax.as<uint8_t>();
      }
      const double start = now();
      candidate.convolution->run(a);
      candidate.best = std::min(candidate.best, now() - start);
    };
    for (int repeat = 0; repeat < options.repeats; repeat++) {
      for (int c = 0; c < 3; c++) run(c);
    }
    run(1);
    const Reference reference{request,
                              {input.as<float>(), s.inputs, s.width, request.input.block},
                              {d_output.as<float>(), s.outputs, s.width, request.output.block},
                              weight.as<float>(),
                              bias.as<float>()};
    const Memory *made[] = {&output, &d_input, &d_weight};
    const double error = sampled_error(reference, request.direction, made[direction]->as<float>());
    const double flops = s.flops();
    const Candidate &fused = candidates[0], &ours = candidates[1], &direct = candidates[2];
    std::printf("%4d %4d %4d  %-15s %8.2f %8.2f %7.1f %8.2f %8.2f %7.1f %7.2f %9.1e\n",
                static_cast<int>(s.inputs), static_cast<int>(s.outputs), static_cast<int>(s.width),
                direction_names[direction], fused.best * 1e3, ours.best * 1e3,
                flops / ours.best / 1e9, ours.transform < 1e9 ? ours.transform * 1e3 : 0.0,
                direct.best * 1e3, flops / direct.best / 1e9, direct.best / ours.best, error);
    std::fflush(stdout);
    sums[direction].ours += ours.best;
    sums[direction].direct += direct.best;
    sums[direction].flops += flops;
  }
}

}  // namespace

int main(int count, char **arguments) {
  const Options options = parse(count, arguments);
  omp_set_num_threads(options.threads);
  const bool wide = std::strcmp(instruction_set(), "avx512") == 0;
  const double peak = wide ? measure_peak<16>(options.threads) : measure_peak<8>(options.threads);
  std::printf("%s, %d threads, batch %d, images of %d pixels, multiply-add peak %.1f GFLOP/s\n",
              instruction_set(), options.threads, static_cast<int>(options.batch),
              static_cast<int>(options.size), peak / 1e9);
  std::printf("best of %d; GFLOP/s count the direct algorithm's operations\n\n", options.repeats);
  std::printf("%4s %4s %4s  %-15s %8s %8s %7s %8s %8s %7s %7s %9s\n", "in", "out", "size",
              "direction", "fused ms", "ours ms", "GFLOP/s", "weight", "direct", "GFLOP/s", "ratio",
              "error");
  Sum sums[3];
  for (int i = 0; i < static_cast<int>(sizeof layers / sizeof *layers); i++) {
    if (options.layer >= 0 && options.layer != i) continue;
    time_layer(layers[i], options, sums);
  }
  Sum all;
  for (int direction = 0; direction < 3; direction++) {
    const Sum &sum = sums[direction];
    std::printf("%-31s %8s %8.2f %7.1f %8s %8.2f %7.1f %7.2f\n", direction_names[direction], "",
                sum.ours * 1e3, sum.flops / sum.ours / 1e9, "", sum.direct * 1e3,
                sum.flops / sum.direct / 1e9, sum.direct / sum.ours);
    all.ours += sum.ours;
    all.direct += sum.direct;
    all.flops += sum.flops;
  }
  std::printf("%-31s %8s %8.2f %7.1f %8s %8.2f %7.1f %7.2f\n", "all", "", all.ours * 1e3,
              all.flops / all.ours / 1e9, "", all.direct * 1e3, all.flops / all.direct / 1e9,
              all.direct / all.ours);
  return 0;
}
