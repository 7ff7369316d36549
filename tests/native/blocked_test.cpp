// Our direct convolutions of every instruction set that this machine runs, or of those named as
// arguments, against plain loops in float64. Prints a line for each kernel table; the exit status
// is 0 only if everything was compared and nothing was found wrong.
#include <omp.h>

#include "convolution_testing.h"
#include "elementwise.h"
#include "kernels.h"

namespace gapcam::cpu {

extern const Kernels kernels_generic;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avx512;
#endif

}  // namespace gapcam::cpu

namespace {

using namespace gapcam;
using namespace gapcam::cpu;

struct Case {
  int64_t batch, inputs, outputs, height, width;
  int kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1;
  int top = 0, left = 0, bottom = 0, right = 0;  // padding
  bool backward = false, adds = false, bias = true;
  int activation = activation_identity;
  float a = 0.0f, b = 0.0f;
  int64_t group = 0;  // channels; 0: one group
};

// ResNet-50's and EfficientNet's layers in miniature, every width up to several tiles, and what is
// odd.
std::vector<Case> cases() {
  std::vector<Case> all = {
      {1, 64, 256, 14, 14},
      {2, 256, 64, 7, 7, 1, 1, 1, 1, 0, 0, 0, 0, false, true},
      {1, 600, 72, 5, 5},
      {3, 24, 144, 9, 5, 1, 1, 1, 1, 0, 0, 0, 0, false, false, true, activation_clip, 0.0f, 6.0f},
      {1, 40, 24, 6, 11, 1, 1, 1, 1, 0, 0, 0, 0, false, true, true, activation_silu},
      {2, 33, 17, 8, 8, 1, 1, 2, 2, 0, 0, 0, 0, false, false, false},
      {1, 64, 64, 15, 14, 3, 3, 2, 2, 1, 1, 1, 1, false, true, true, activation_leaky_relu, 0.2f},
      {2, 130, 70, 7, 7, 3, 3, 1, 1, 1, 1, 1, 1, false, false, true, activation_leaky_relu},
      {1, 16, 16, 9, 13, 3, 3, 2, 2, 0, 0, 1, 1, false, false, true, activation_clip, -1.0f, 1.0f},
      {1, 5, 9, 12, 12, 5, 3, 1, 2, 2, 1, 2, 1, false, false, true, activation_gelu},
      {2, 32, 40, 6, 6, 2, 4, 2, 1, 0, 3, 0, 0},
      {1, 48, 80, 7, 9, 1, 1, 1, 1, 0, 0, 0, 0, true, false, false},
      {2, 20, 36, 6, 7, 3, 3, 1, 1, 1, 1, 1, 1, true, false, false},
      {1, 64, 48, 8, 8, 5, 5, 1, 1, 0, 2, 4, 2, true, false, false},
      {1, 1, 1, 1, 1},
      {1, 3, 2, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1},
  };
  // Groups of 4 and 8: ResNeXt's and RegNet's, and what is odd.
  for (const int64_t group : {4, 8}) {
    const auto add = [&](Case c) {
      c.group = group;
      all.push_back(c);
    };
    for (int64_t width = 1; width <= 40; width++) {
      const int64_t channels = group * (width % 7 + 1), batch = 1 + width % 2;
      const bool adds = width % 3 == 0, bias = width % 4 != 0;
      for (const int stride : {1, 2}) {
        add({batch, channels, channels, 5, width, 3, 3, stride, stride, 1, 1, 1, 1, false, adds,
             bias});
      }
      add({1, channels, channels, 4, width, 3, 3, 1, 1, 1, 1, 1, 1, true, false, false});
    }
    add({2, 40, 40, 9, 20, 2, 3, 1, 2, 0, 2, 1, 0, false, true, true, activation_leaky_relu, 0.2f});
    add({1, 24, 24, 6, 17, 3, 3, 2, 1, 0, 0, 0, 0, false, false, true, activation_silu});
    add({3, 56, 56, 7, 7, 3, 3, 1, 1, 1, 1, 1, 1, false, false, true, activation_clip, 0.0f, 6.0f});
    add({1, 32, 32, 7, 8, 3, 3, 1, 1, 0, 2, 2, 0, true, false, false});
  }
  for (int64_t width = 1; width <= 40; width++) {
    all.push_back({1, 17, 16 * (width % 5 + 1), 1, width});
    all.push_back({1, 9, 8 * (width % 9 + 1), 3, width, 3, 3, 1, 1, 1, 1, 1, 1});
  }
  return all;
}

BlockedShape shape_of(const Case &c, int64_t block) {
  BlockedShape s;
  s.kernel_height = c.kernel_height;
  s.kernel_width = c.kernel_width;
  s.stride_height = c.stride_height;
  s.stride_width = c.stride_width;
  s.padding_height = c.top;
  s.padding_width = c.left;
  s.padding_bottom = c.bottom;
  s.padding_right = c.right;
  s.input = {c.batch, c.inputs, c.height, c.width, block};
  s.output = {c.batch, c.outputs,
              (c.height + c.top + c.bottom - c.kernel_height) / c.stride_height + 1,
              (c.width + c.left + c.right - c.kernel_width) / c.stride_width + 1, block};
  s.group = c.group;
  s.backward = c.backward;
  s.adds = c.adds;
  s.activation = c.activation == activation_leaky_relu ? activation_identity : c.activation;
  s.negative_slope = c.activation == activation_leaky_relu ? c.a : 1.0f;
  s.a = c.a;
  s.b = c.b;
  return s;
}

Blocked map_of(const MapShape &s) { return {s.batch, s.channels, s.height, s.width, s.block}; }

// One case, on one thread and on several: to the same bytes, and as plain loops find it.
void compare(const Case &c, const Kernels &kernels, int64_t block, int64_t at_once) {
  BlockedShape s = shape_of(c, block);
  s.at_once = at_once;
  const Blocked input = map_of(s.input), output = map_of(s.output);
  const std::string what =
      std::string(kernels.name) + " " + std::to_string(c.batch) + "x" + std::to_string(c.inputs) +
      "x" + std::to_string(c.height) + "x" + std::to_string(c.width) + " -> " +
      std::to_string(c.outputs) + " kernel " + std::to_string(c.kernel_height) + "x" +
      std::to_string(c.kernel_width) + (c.backward ? " backward" : "") + " by " +
      std::to_string(at_once) + (c.group > 0 ? " groups of " + std::to_string(c.group) : "");
  Random random;
  Floats x(input.elements()), start(output.elements()), bias(c.outputs);
  // Inputs and outputs of a group.
  const int64_t inputs = c.group > 0 ? c.group : c.inputs;
  const int64_t outputs = c.group > 0 ? c.group : c.outputs;
  Floats weight(c.outputs * inputs * s.taps());
  fill(input, x, random);
  fill(output, start, random);
  for (int64_t i = 0; i < bias.count(); i++) bias[i] = random();
  for (int64_t i = 0; i < weight.count(); i++) weight[i] = random();
  Floats transformed(s.weight_elements());
  kernels.blocked_weight(s, weight.data(), transformed.data());

  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    omp_set_num_threads(threads);
    Floats y(output.elements()), scratch(threads * s.padded_elements());
    std::memcpy(y.data(), start.data(), sizeof(float) * static_cast<size_t>(start.count()));
    scratch.fill(0xff);
    kernels.blocked(s, x.data(), transformed.data(), c.bias ? bias.data() : nullptr, y.data(),
                    scratch.data());
    if (!y.intact() || !scratch.intact() || !transformed.intact()) fail(what + ": wrote outside");
    const std::vector<float> all(y.data(), y.data() + y.count());
    if (first.empty()) first = all;
    if (std::memcmp(first.data(), all.data(), sizeof(float) * all.size()) != 0) {
      fail(what + ": other bytes on " + std::to_string(threads) + " threads");
    }
  }

  Error error;
  each(output, [&](int64_t n, int64_t o, int64_t oh, int64_t ow) {
    const int64_t at = output.at(n, o, oh, ow);
    if (o >= c.outputs) {
      if (first[static_cast<size_t>(at)] != 0.0f) fail(what + ": padding is not 0");
      return;
    }
    double sum = (c.bias ? bias[o] : 0.0) + (c.adds ? start[at] : 0.0);
    const int64_t first_input = o / outputs * inputs;
    for (int64_t i = first_input; i < first_input + inputs; i++) {
      for (int64_t kh = 0; kh < c.kernel_height; kh++) {
        for (int64_t kw = 0; kw < c.kernel_width; kw++) {
          const int64_t ih = oh * c.stride_height - c.top + kh;
          const int64_t iw = ow * c.stride_width - c.left + kw;
          if (ih < 0 || iw < 0 || ih >= c.height || iw >= c.width) continue;
          const int64_t k = kh * c.kernel_width + kw;
          const float w = c.backward
                              ? weight[(i * outputs + o % outputs) * s.taps() + s.taps() - 1 - k]
                              : weight[(o * inputs + i % inputs) * s.taps() + k];
          sum += static_cast<double>(w) * x[input.at(n, i, ih, iw)];
        }
      }
    }
    error.add(first[static_cast<size_t>(at)],
              activate(c.activation, c.a, c.b, static_cast<float>(sum)));
  });
  error.check(2e-6, what);
}

}  // namespace

int main(int count, char **arguments) {
  __builtin_cpu_init();
  std::vector<std::string> names(arguments + 1, arguments + count);
  if (names.empty()) names = {"generic", "avx2", "avx512"};
  int tables = 0;
  for (const std::string &name : names) {
    const Kernels *kernels = nullptr;
    if (name == "generic") kernels = &kernels_generic;
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (name == "avx2" && avx2) kernels = &kernels_avx2;
    if (name == "avx512" && avx2 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      kernels = &kernels_avx512;
    }
#endif
    if (!kernels) continue;
    tables++;
    const int64_t block = name == "avx512" ? 16 : 8;
    for (const Case &c : cases()) {
      if (c.group >= block) continue;
      for (int64_t at_once = 2; at_once <= blocked_vectors(block); at_once++) {
        compare(c, *kernels, block, at_once);
      }
    }
  }
  if (tables < 1 || comparisons < 100000 * tables) fail("too little was compared");
  std::printf("%s: %d tables, %lld values compared, %d failures\n", failures ? "failed" : "passed",
              tables, static_cast<long long>(comparisons), failures);
  return failures == 0 ? 0 : 1;
}
