#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

namespace {

// The size of what a window makes of a map `in`.
Shape window_shape(Recorder &recorder, const Shape &in, const ConvolutionWindow &w,
                   int64_t channels) {
  const int64_t rows = recorder.window_count(
      in[2],
      {w.kernel_height, w.stride_height, w.padding_height, w.padding_bottom, w.dilation_height},
      "height");
  const int64_t columns = recorder.window_count(
      in[3], {w.kernel_width, w.stride_width, w.padding_width, w.padding_right, w.dilation_width},
      "width");
  return {in[0], channels, rows, columns};
}

}  // namespace

void gradient(Backward &b, const Operation &o, const Conv2d &conv2d) {
  const Operand &input = o.inputs[0], &weight = o.inputs[1], &bias = o.inputs[2];
  const Operand d_output = b.gradient_of(o.outputs[0]);
  Conv2dGradient common;
  common.window = conv2d.window;
  common.groups = conv2d.groups;
  common.input = input.value;
  common.output = o.outputs[0];
  common.bias = static_cast<bool>(bias);
  if (b.wants(weight) || b.wants(bias)) {
    const ValueId d_weight = b.make_gradient(weight), d_bias = b.make_gradient(bias);
    b.append(o, Conv2dBackwardFilter{common}, {d_output, input, {}, {}}, {d_weight, d_bias});
    b.add(o, weight, d_weight);
    b.add(o, bias, d_bias);
  }
  if (b.wants(input)) {
    const ValueId d_input = b.make_gradient(input);
    b.append(o, Conv2dBackwardData{common, {}}, {d_output, weight, {}, {}, {}}, {d_input});
    b.add(o, input, d_input);
  }
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_conv2d(gapcam_handle program, gapcam_handle input, gapcam_handle weight,
                              gapcam_handle bias, int32_t stride_height, int32_t stride_width,
                              int32_t padding_top, int32_t padding_left, int32_t padding_bottom,
                              int32_t padding_right, int32_t dilation_height,
                              int32_t dilation_width, int32_t groups, int32_t activation, float a,
                              float b, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "conv2d");
    const Operand x{recorder.use(input, "input"), Role::map},
        w{recorder.use(weight, "weight"), Role::parameter},
        offset{recorder.use_optional(bias, "bias"), Role::parameter};
    recorder.expect_rank(x.value, 4, "input");
    recorder.expect_rank(w.value, 4, "weight");
    const Shape in = recorder.shape(x.value), kernel = recorder.shape(w.value);
    recorder.check(groups >= 1 && in[1] % groups == 0 && kernel[0] % groups == 0,
                   format("its groups must divide its %lld channels and its %lld outputs, found %d",
                          static_cast<long long>(in[1]), static_cast<long long>(kernel[0]), groups),
                   GAPCAM_INVALID_ARGUMENT);
    recorder.check(
        in[1] == kernel[1] * groups,
        format("its weight %s takes %lld channels, the input %s has %lld",
               gapcam::to_string(kernel).c_str(), static_cast<long long>(kernel[1] * groups),
               gapcam::to_string(in).c_str(), static_cast<long long>(in[1])));
    recorder.expect_shape(offset.value, {kernel[0]}, "bias");
    Conv2d conv2d;
    conv2d.groups = groups;
    const Activation after = recorder.activation(activation, a, b);
    ConvolutionWindow &window = conv2d.window;
    // Dimensions are at most max_dimension, an int.
    static_cast<Window2d &>(window) = {static_cast<int>(kernel[2]),
                                       static_cast<int>(kernel[3]),
                                       stride_height,
                                       stride_width,
                                       padding_top,
                                       padding_left};
    window.padding_bottom = padding_bottom;
    window.padding_right = padding_right;
    window.dilation_height = dilation_height;
    window.dilation_width = dilation_width;
    const Shape shape = window_shape(recorder, in, window, kernel[0]);
    *output = recorder.finish(conv2d, {x, w, offset}, shape, {}, after);
  });
}

}  // extern "C"
