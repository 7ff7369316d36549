#include <algorithm>

#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

namespace {

// How many windows of a pool there are along one direction. With `ceil_mode` the last may reach
// beyond the padding, but must begin within the input or the padding before it, as PyTorch counts.
int64_t pool_count(Recorder &recorder, int64_t size, const Recorder::Steps &steps, bool ceil_mode,
                   const char *direction) {
  if (!ceil_mode) return recorder.window_count(size, steps, direction);
  const int64_t count = recorder.window_count(size + steps.stride - 1, steps, direction);
  return (count - 1) * steps.stride >= size + steps.before ? count - 1 : count;
}

}  // namespace

void gradient(Backward &b, const Operation &o, const MaxPool2d &pool) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  MaxPool2dBackward backward;
  backward.window = pool.window;
  backward.output = o.outputs[0];
  b.append(o, backward, {b.gradient_of(o.outputs[0]), {o.outputs[1], Role::saved}, {}}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

void gradient(Backward &b, const Operation &o, const AveragePool2d &pool) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  b.append(o, AveragePool2dBackward{pool}, {b.gradient_of(o.outputs[0])}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

void gradient(Backward &b, const Operation &o, const GlobalAveragePool &) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  b.append(o, GlobalAveragePoolBackward{}, {b.gradient_of(o.outputs[0]), {}}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_pool2d(gapcam_handle program, int32_t kind, gapcam_handle input,
                              int32_t kernel_height, int32_t kernel_width, int32_t stride_height,
                              int32_t stride_width, int32_t padding_top, int32_t padding_left,
                              int32_t padding_bottom, int32_t padding_right, int32_t ceil_mode,
                              int32_t count_include_pad, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    const bool average = kind == GAPCAM_AVERAGE_POOL;
    Recorder recorder(program, average ? AveragePool2d::name : MaxPool2d::name);
    recorder.check(average || kind == GAPCAM_MAX_POOL,
                   format("its kind must be 0 (maximum) or 1 (average), found %d", kind),
                   GAPCAM_INVALID_ARGUMENT);
    const ValueId x = recorder.use(input, "input");
    recorder.expect_rank(x, 4, "input");
    const Shape in = recorder.shape(x);
    const Window2d window{kernel_height, kernel_width, stride_height,
                          stride_width,  padding_top,  padding_left};
    const Shape shape = {
        in[0], in[1],
        pool_count(recorder, in[2], {kernel_height, stride_height, padding_top, padding_bottom},
                   ceil_mode != 0, ceil_mode ? "height, rounded up," : "height"),
        pool_count(recorder, in[3], {kernel_width, stride_width, padding_left, padding_right},
                   ceil_mode != 0, ceil_mode ? "width, rounded up," : "width")};
    const int32_t most_height = std::max(padding_top, padding_bottom),
                  most_width = std::max(padding_left, padding_right);
    recorder.check(most_height <= kernel_height / 2 && most_width <= kernel_width / 2,
                   format("padding must be at most half the kernel, found %d x %d and %d x %d",
                          most_height, most_width, kernel_height, kernel_width),
                   GAPCAM_INVALID_ARGUMENT);
    if (average) {
      const AveragePool2d pool{window, padding_bottom, padding_right, count_include_pad != 0};
      *output = recorder.finish(pool, {{x, Role::map}}, shape);
      return;
    }
    Value positions;
    positions.type = kernel_height * kernel_width <= 256 ? DataType::u8 : DataType::i32;
    positions.shape = shape;
    *output = recorder.finish(MaxPool2d{window}, {{x, Role::map}}, shape, {positions});
  });
}

int32_t gapcam_program_global_average_pool(gapcam_handle program, gapcam_handle input,
                                           int32_t keep_dimensions, gapcam_handle *output,
                                           char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "global_average_pool");
    const ValueId x = recorder.use(input, "input");
    recorder.expect_rank(x, 4, "input");
    const Shape in = recorder.shape(x);
    if (keep_dimensions) {
      const ValueId means = recorder.append(GlobalAveragePool{}, {{x, Role::map}}, {in[0], in[1]});
      *output = recorder.finish(Reshape{}, {{means, Role::map}}, {in[0], in[1], 1, 1});
    } else {
      *output = recorder.finish(GlobalAveragePool{}, {{x, Role::map}}, {in[0], in[1]});
    }
  });
}

}  // extern "C"
