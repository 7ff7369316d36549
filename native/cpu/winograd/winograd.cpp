// Winograd's convolution as a program sees it.
#include <cstring>

#include "../kernels.h"
#include "plan.h"

namespace gapcam::cpu {

namespace winograd {

extern const Table table_generic_8;
#if defined(__x86_64__)
extern const Table table_avx2_8, table_avx2_16, table_avx512_16;
#endif

const Table *find_table(const char *name, int64_t block) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (std::strcmp(name, "avx512") == 0 && avx512 && block == 16) return &table_avx512_16;
  if (std::strcmp(name, "avx2") == 0 && avx2) {
    if (block == 8) return &table_avx2_8;
    if (block == 16) return &table_avx2_16;
  }
#endif
  if (std::strcmp(name, "generic") == 0 && block == 8) return &table_generic_8;
  return nullptr;
}

namespace {

class WinogradConvolution : public Convolution {
 public:
  WinogradConvolution(const ConvolutionRequest &request, const Table &table)
      : table_(table), plan_(make_plan(request, table.tuning)) {}

  std::string algorithm() const override {
    return std::string("winograd f4x4 ") + table_.name + (plan_.shared ? ", shared tiles" : "");
  }
  bool fuses_pool() const override { return true; }
  bool fuses_gradient() const override { return true; }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(plan_.scratch_floats) * sizeof(float);
  }
  size_t weight_bytes() const override {
    return static_cast<size_t>(plan_.weight_floats) * sizeof(float);
  }
  void transform_weight(const float *plain, void *transformed, void *) override {
    table_.transform_weight(plan_, plain, static_cast<float *>(transformed));
  }
  void run(const ConvolutionArguments &arguments) override {
    if (plan_.request.direction == Direction::backward_filter) {
      table_.backward_filter(plan_, arguments);
    } else {
      table_.forward(plan_, arguments);
    }
  }

 private:
  const Table &table_;
  const Plan plan_;
};

}  // namespace

std::unique_ptr<Convolution> create(const ConvolutionRequest &request, const Table *table) {
  const ConvolutionShape &s = request.shape;
  if (!table || request.bf16) return nullptr;
  if (s.groups != 1 || s.is_dilated() || !s.is_symmetric()) return nullptr;
  if (s.kernel_height != 3 || s.kernel_width != 3) return nullptr;
  if (s.stride_height != 1 || s.stride_width != 1) return nullptr;
  if (s.padding_height != s.padding_width || s.padding_height > 2) return nullptr;
  if (request.input.block != table->tuning.block) return nullptr;
  if (request.output.block != table->tuning.block) return nullptr;
  return std::make_unique<WinogradConvolution>(request, *table);
}

}  // namespace winograd

namespace {

// Whether a tap meets nothing but padding along one direction, so that its gradient is exactly 0:
// the differences of sums that the transforms take would leave a rest of rounding in its place.
bool meets_only_padding(int64_t input, int64_t output, int padding) {
  return output - 1 < padding || input - 1 < 2 - padding;
}

}  // namespace

std::unique_ptr<Convolution> create_winograd_convolution(const ConvolutionRequest &request) {
  const ConvolutionShape &s = request.shape;
  if (request.direction == Direction::backward_filter &&
      (meets_only_padding(s.height, s.output_height, s.padding_height) ||
       meets_only_padding(s.width, s.output_width, s.padding_width))) {
    return nullptr;
  }
  return winograd::create(request, winograd::find_table(instruction_set(), request.output.block));
}

}  // namespace gapcam::cpu
