// Winograd convolutions of every instruction set that this machine runs, or of those named as
// arguments, against plain loops in float64. Prints a line for each kernel table; the exit status
// is 0 only if everything was compared and nothing was found wrong.
#include "convolution_testing.h"
#include "winograd/plan.h"

namespace {

using namespace gapcam::cpu;

struct Case {
  int64_t batch, inputs, outputs, height, width;
  int padding = 1;
  int threads = 1;
  float slope = 0.1f;
  bool bias = true;
};

// VGG's layers in channels, with small maps of every remainder; and what is odd.
const Case cases[] = {
    {2, 3, 64, 17, 23, 1, 2},
    {1, 64, 64, 40, 40, 1, 2},
    {1, 64, 128, 28, 28, 1, 1},
    {1, 128, 128, 20, 31, 1, 2},
    {2, 128, 256, 14, 14, 1, 2},
    {1, 256, 256, 20, 20, 1, 2},
    {3, 256, 512, 7, 7, 1, 1},
    {2, 512, 512, 14, 14, 1, 2},
    {1, 512, 512, 7, 7, 1, 2, 0.0f},
    {5, 512, 512, 3, 3, 1, 2},
    {1, 1, 1, 1, 1, 1, 1},
    {1, 1, 1, 1, 1, 2, 3, 0.5f},
    {2, 3, 5, 2, 2, 1, 3},
    {3, 5, 17, 5, 6, 2, 2},
    {2, 17, 3, 6, 5, 0, 2},
    {1, 33, 40, 4, 4, 0, 1, 1.0f, false},
    {2, 24, 24, 13, 9, 1, 5, 0.0f},
    {1, 8, 72, 3, 50, 1, 4, 1.0f},
    {4, 40, 56, 8, 12, 2, 2, 0.2f, false},
    {1, 9, 8, 224, 5, 1, 2},
};

// At most 4 of the channels, the first and the last among them.
std::vector<int64_t> sample(int64_t channels) {
  std::vector<int64_t> chosen;
  const int64_t count = channels < 4 ? channels : 4;
  for (int64_t i = 0; i < count; i++) {
    chosen.push_back(count == 1 ? 0 : i * (channels - 1) / (count - 1));
  }
  return chosen;
}

struct Worst {
  double forward = 0, data = 0, filter = 0;
};

class Trial {
 public:
  Trial(const Case &c, const winograd::Table &table)
      : case_(c),
        table_(table),
        in_{c.batch, c.inputs, c.height, c.width, table.tuning.block},
        out_{c.batch, c.outputs, c.height + 2 * c.padding - 2, c.width + 2 * c.padding - 2,
             table.tuning.block},
        pooled_{c.batch, c.outputs, out_.height / 2, out_.width / 2, table.tuning.block},
        input_(in_.elements()),
        output_(out_.elements()),
        d_output_(out_.elements()),
        d_pooled_(pooled_.elements()),
        pooled_values_(pooled_.elements()),
        argmax_(pooled_.elements()),
        weight_(c.outputs * c.inputs * 9),
        bias_(c.outputs) {
    name_ = table.name;
    char text[160];
    std::snprintf(text, sizeof text,
                  " blocks of %d, %d x %d -> %d, %d x %d, padding %d, %d threads, slope %g",
                  static_cast<int>(table.tuning.block), static_cast<int>(c.batch),
                  static_cast<int>(c.inputs), static_cast<int>(c.outputs),
                  static_cast<int>(c.height), static_cast<int>(c.width), c.padding, c.threads,
                  static_cast<double>(c.slope));
    name_ += text;
    Random random;
    fill(in_, input_, random);
    fill(out_, d_output_, random);
    fill(pooled_, d_pooled_, random);
    for (int64_t i = 0; i < weight_.count(); i++) weight_[i] = random();
    for (int64_t i = 0; i < bias_.count(); i++) bias_[i] = random();
  }

  void run(Worst &worst) {
    worst.forward = std::max(worst.forward, forward());
    if (pooled_.height > 0 && pooled_.width > 0) pool();
    backward(worst, d_output_, nullptr, nullptr, "");
    if (case_.slope != 1.0f) backward(worst, d_output_, &output_, nullptr, ", leaky ReLU fused");
    if (pooled_.height > 0 && pooled_.width > 0) {
      const bool sign = case_.slope != 1.0f;
      backward(worst, d_pooled_, sign ? &pooled_values_ : nullptr, &argmax_, ", pool fused");
    }
  }

 private:
  ConvolutionRequest request(Direction direction) const {
    ConvolutionRequest r;
    r.shape.batch = case_.batch;
    r.shape.inputs = case_.inputs;
    r.shape.height = case_.height;
    r.shape.width = case_.width;
    r.shape.outputs = case_.outputs;
    r.shape.output_height = out_.height;
    r.shape.output_width = out_.width;
    r.shape.kernel_height = r.shape.kernel_width = 3;
    r.shape.padding_height = r.shape.padding_width = case_.padding;
    r.shape.padding_bottom = r.shape.padding_right = case_.padding;
    r.direction = direction;
    r.input.block = r.output.block = table_.tuning.block;
    r.bias = case_.bias;
    r.negative_slope = case_.slope;
    r.threads = case_.threads;
    return r;
  }

  // Runs twice, into memory of different contents, and compares bytes.
  template <class T>
  void run_twice(Convolution &convolution, ConvolutionArguments arguments, Guarded<T> &result,
                 const std::string &what) {
    Floats transformed(static_cast<int64_t>(convolution.weight_bytes() / 4));
    Guarded<unsigned char> scratch(static_cast<int64_t>(convolution.scratch_bytes()));
    arguments.scratch = scratch.data();
    std::vector<T> first;
    for (int i = 0; i < 2; i++) {
      const int junk = i == 0 ? 0xff : 0x3c;
      scratch.fill(junk);
      transformed.fill(junk);
      result.fill(junk);
      if (convolution.weight_bytes() > 0) {
        convolution.transform_weight(weight_.data(), transformed.data(), scratch.data());
        arguments.weight = transformed.data();
      }
      convolution.run(arguments);
      if (i == 0) first.assign(result.data(), result.data() + result.count());
    }
    if (std::memcmp(first.data(), result.data(), first.size() * sizeof(T)) != 0) {
      fail(what + ": two runs differ");
    }
    if (!result.intact() || !scratch.intact() || !transformed.intact()) {
      fail(what + ": memory beside its own was written");
    }
  }

  void check_padding(const Blocked &map, const Floats &values, const std::string &what) {
    each(map, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
      if (c >= map.channels && values[map.at(n, c, y, x)] != 0.0f) {
        fail(what + ": a padded channel is not zero");
      }
    });
  }

  double forward() {
    const std::string what = name_ + ", forward";
    const auto convolution = winograd::create(request(Direction::forward), &table_);
    if (!convolution) return fail(what + ": refused"), 0.0;
    ConvolutionArguments a;
    a.input = input_.data();
    a.bias = case_.bias ? bias_.data() : nullptr;
    a.output = output_.data();
    run_twice(*convolution, a, output_, what);
    check_padding(out_, output_, what);
    Error error;
    for (const int64_t k : sample(case_.outputs)) {
      for (int64_t n = 0; n < out_.batch; n++) {
        for (int64_t y = 0; y < out_.height; y++) {
          for (int64_t x = 0; x < out_.width; x++) {
            double sum = case_.bias ? static_cast<double>(bias_[k]) : 0.0;
            for (int64_t c = 0; c < case_.inputs; c++) {
              for (int i = 0; i < 9; i++) {
                const int64_t r = y + i / 3 - case_.padding, s = x + i % 3 - case_.padding;
                if (r < 0 || r >= in_.height || s < 0 || s >= in_.width) continue;
                sum += static_cast<double>(weight_[(k * case_.inputs + c) * 9 + i]) *
                       static_cast<double>(input_[in_.at(n, c, r, s)]);
              }
            }
            if (sum < 0.0) sum *= static_cast<double>(case_.slope);
            error.add(static_cast<double>(output_[out_.at(n, k, y, x)]), sum);
          }
        }
      }
    }
    return error.check(2e-5, what);
  }

  // The fused pool is that of the map made without it.
  void pool() {
    const std::string what = name_ + ", forward with pool";
    for (const bool keep_output : {false, true}) {
      ConvolutionRequest r = request(Direction::forward);
      r.pool = true;
      r.keep_output = keep_output;
      const auto convolution = winograd::create(r, &table_);
      if (!convolution || !convolution->fuses_pool()) return fail(what + ": refused");
      Floats map(out_.elements());
      ConvolutionArguments a;
      a.input = input_.data();
      a.bias = case_.bias ? bias_.data() : nullptr;
      a.output = keep_output ? map.data() : nullptr;
      a.pooled = pooled_values_.data();
      a.argmax = argmax_.data();
      run_twice(*convolution, a, pooled_values_, what);
      if (!argmax_.intact() || !map.intact()) fail(what + ": memory beside its own was written");
      if (keep_output) {
        Error error;
        for (int64_t i = 0; i < map.count(); i++) {
          error.add(static_cast<double>(map[i]), static_cast<double>(output_[i]));
        }
        error.check(1e-6, what + ", the map beside");
      }
      Error error;
      each(pooled_, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
        const auto value = [&](int q) {
          return output_[out_.at(n, c, 2 * y + q / 2, 2 * x + q % 2)];
        };
        int best = 0;
        for (int q = 1; q < 4; q++) {
          if (value(q) > value(best)) best = q;
        }
        const int64_t at = pooled_.at(n, c, y, x);
        const int chosen = argmax_[at];
        error.add(static_cast<double>(pooled_values_[at]), static_cast<double>(value(best)));
        // Compiled apart, the two round apart, so that near ties may go either way.
        const bool near =
            chosen < 4 && std::fabs(value(chosen) - value(best)) <= 1e-5f * std::fabs(value(best));
        if (chosen != best && !near) fail(what + ": wrong argmax");
      });
      error.check(1e-6, what);
    }
  }

  // The gradient before leaky ReLU and pool, by plain loops.
  Floats gradient(const Floats &arriving, const Floats *sign, const Guarded<uint8_t> *argmax) {
    Floats made(out_.elements());
    each(out_, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
      const bool inside = !argmax || (y / 2 < pooled_.height && x / 2 < pooled_.width);
      float value = 0.0f;
      if (inside) {
        const int64_t at = argmax ? pooled_.at(n, c, y / 2, x / 2) : out_.at(n, c, y, x);
        const bool chosen = !argmax || (*argmax)[at] == 2 * (y % 2) + x % 2;
        if (chosen) value = arriving[at] * (sign && (*sign)[at] <= 0.0f ? case_.slope : 1.0f);
      }
      made[out_.at(n, c, y, x)] = value;
    });
    return made;
  }

  void backward(Worst &worst, const Floats &arriving, const Floats *sign,
                const Guarded<uint8_t> *argmax, const std::string &how) {
    const Floats d = gradient(arriving, sign, argmax);
    ConvolutionArguments a;
    a.d_output = arriving.data();
    a.d_output_sign = sign ? sign->data() : nullptr;
    a.d_argmax = argmax ? argmax->data() : nullptr;
    worst.data = std::max(worst.data, backward_data(a, d, how));
    worst.filter = std::max(worst.filter, backward_filter(a, d, how));
  }

  double backward_data(ConvolutionArguments a, const Floats &d, const std::string &how) {
    const std::string what = name_ + ", backward data" + how;
    ConvolutionRequest r = request(Direction::backward_data);
    r.pool = a.d_argmax != nullptr;
    const auto convolution = winograd::create(r, &table_);
    if (!convolution || !convolution->fuses_gradient()) return fail(what + ": refused"), 0.0;
    Floats result(in_.elements());
    a.d_input = result.data();
    run_twice(*convolution, a, result, what);
    check_padding(in_, result, what);
    Error error;
    for (const int64_t c : sample(case_.inputs)) {
      for (int64_t n = 0; n < in_.batch; n++) {
        for (int64_t y = 0; y < in_.height; y++) {
          for (int64_t x = 0; x < in_.width; x++) {
            double sum = 0.0;
            for (int64_t k = 0; k < case_.outputs; k++) {
              for (int i = 0; i < 9; i++) {
                const int64_t r = y - i / 3 + case_.padding, s = x - i % 3 + case_.padding;
                if (r < 0 || r >= out_.height || s < 0 || s >= out_.width) continue;
                sum += static_cast<double>(weight_[(k * case_.inputs + c) * 9 + i]) *
                       static_cast<double>(d[out_.at(n, k, r, s)]);
              }
            }
            error.add(static_cast<double>(result[in_.at(n, c, y, x)]), sum);
          }
        }
      }
    }
    return error.check(2e-5, what);
  }

  double backward_filter(ConvolutionArguments a, const Floats &d, const std::string &how) {
    const std::string what = name_ + ", backward filter" + how;
    ConvolutionRequest r = request(Direction::backward_filter);
    r.pool = a.d_argmax != nullptr;
    const auto convolution = winograd::create(r, &table_);
    if (!convolution || !convolution->fuses_gradient()) return fail(what + ": refused"), 0.0;
    Floats result(case_.outputs * case_.inputs * 9), d_bias(case_.outputs);
    a.input = input_.data();
    a.d_weight = result.data();
    a.d_bias = case_.bias ? d_bias.data() : nullptr;
    run_twice(*convolution, a, result, what);
    if (!d_bias.intact()) fail(what + ": memory beside its own was written");
    Error error, bias_error;
    for (const int64_t k : sample(case_.outputs)) {
      for (const int64_t c : sample(case_.inputs)) {
        for (int i = 0; i < 9; i++) {
          double sum = 0.0;
          for (int64_t n = 0; n < out_.batch; n++) {
            for (int64_t y = 0; y < out_.height; y++) {
              for (int64_t x = 0; x < out_.width; x++) {
                const int64_t r = y + i / 3 - case_.padding, s = x + i % 3 - case_.padding;
                if (r < 0 || r >= in_.height || s < 0 || s >= in_.width) continue;
                sum += static_cast<double>(input_[in_.at(n, c, r, s)]) *
                       static_cast<double>(d[out_.at(n, k, y, x)]);
              }
            }
          }
          error.add(static_cast<double>(result[(k * case_.inputs + c) * 9 + i]), sum);
        }
      }
      double sum = 0.0;
      for (int64_t n = 0; n < out_.batch; n++) {
        for (int64_t y = 0; y < out_.height; y++) {
          for (int64_t x = 0; x < out_.width; x++) {
            sum += static_cast<double>(d[out_.at(n, k, y, x)]);
          }
        }
      }
      bias_error.add(static_cast<double>(d_bias[k]), sum);
    }
    if (case_.bias) bias_error.check(1e-5, what + ", bias");
    return error.check(1e-4, what);
  }

  const Case &case_;
  const winograd::Table &table_;
  Blocked in_, out_, pooled_;
  Floats input_, output_, d_output_, d_pooled_, pooled_values_;
  Guarded<uint8_t> argmax_;
  Floats weight_, bias_;
  std::string name_;
};

}  // namespace

int main(int count, char **arguments) {
  int tables = 0;
  std::vector<std::string> names(arguments + 1, arguments + count);
  if (names.empty()) names = {"generic", "avx2", "avx512"};
  for (const std::string &name : names) {
    for (const int64_t block : {8, 16}) {
      const winograd::Table *table = winograd::find_table(name.c_str(), block);
      if (!table) continue;
      tables++;
      Worst worst;
      for (const Case &c : cases) Trial(c, *table).run(worst);
      std::printf(
          "%s, blocks of %d: worst error %.2g forward, %.2g backward data, "
          "%.2g backward filter\n",
          name.c_str(), static_cast<int>(block), worst.forward, worst.data, worst.filter);
    }
  }
  if (tables < 1 || comparisons < 400000 * tables) fail("too little was compared");
  std::printf("%s: %d tables, %lld values compared, %d failures\n", failures ? "failed" : "passed",
              tables, static_cast<long long>(comparisons), failures);
  return failures == 0 ? 0 : 1;
}
