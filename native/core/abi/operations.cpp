// Recording of operations: checks of arguments and shapes.
#include <algorithm>
#include <cmath>

#include "recorder.h"

using namespace gapcam;

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

// How many windows of a pool there are along one direction. With `ceil_mode` the last may reach
// beyond the padding, but must begin within the input or the padding before it, as PyTorch counts.
int64_t pool_count(Recorder &recorder, int64_t size, const Recorder::Steps &steps, bool ceil_mode,
                   const char *direction) {
  if (!ceil_mode) return recorder.window_count(size, steps, direction);
  const int64_t count = recorder.window_count(size + steps.stride - 1, steps, direction);
  return (count - 1) * steps.stride >= size + steps.before ? count - 1 : count;
}

}  // namespace

extern "C" {

int32_t gapcam_program_prepare_images(gapcam_handle program, gapcam_handle images, int64_t height,
                                      int64_t width, const float *mean, const float *deviation,
                                      gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "prepare_images");
    const ValueId input = recorder.use(images, "image batch", DataType::u8);
    recorder.expect_rank(input, 4, "image batch");
    recorder.check(height >= 1 && width >= 1 && height <= 65536 && width <= 65536,
                   format("the size must be between 1 and 65536, found %lld x %lld",
                          static_cast<long long>(height), static_cast<long long>(width)),
                   GAPCAM_INVALID_ARGUMENT);
    const Shape shape = recorder.shape(input);
    const auto channels = static_cast<size_t>(shape[3]);
    PrepareImages prepare;
    prepare.mean.assign(not_null(mean, "mean"), mean + channels);
    prepare.deviation.assign(not_null(deviation, "deviation"), deviation + channels);
    for (const float one : prepare.deviation) {
      recorder.check(one > 0.0f && std::isfinite(one), "a deviation must be above 0",
                     GAPCAM_INVALID_ARGUMENT);
    }
    *output = recorder.finish(std::move(prepare), {{input, Role::images}},
                              {shape[0], shape[3], height, width});
  });
}

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

int32_t gapcam_program_unary(gapcam_handle program, gapcam_handle input, int32_t activation,
                             float a, float b, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, name_of_activation(activation));
    const ValueId x = recorder.use(input, "input");
    const Shape shape = recorder.shape(x);
    *output =
        recorder.finish(Unary{recorder.activation(activation, a, b)}, {{x, Role::map}}, shape);
  });
}

int32_t gapcam_program_binary(gapcam_handle program, int32_t kind, gapcam_handle first,
                              gapcam_handle second, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    const bool product = kind == GAPCAM_MULTIPLY;
    Recorder recorder(program, product ? "multiply" : "add");
    recorder.check(product || kind == GAPCAM_ADD,
                   format("its kind must be 0 (add) or 1 (multiply), found %d", kind),
                   GAPCAM_INVALID_ARGUMENT);
    const ValueId one = recorder.use(first, "first input"),
                  two = recorder.use(second, "second input");
    const Shape shape = recorder.shape(one);
    const Shape gate = shape.size() == 4 ? Shape{shape[0], shape[1], 1, 1} : shape;
    if (product && gate != shape && recorder.shape(two) != shape) {
      recorder.check(recorder.shape(two) == gate,
                     format("its second input must have the shape %s or %s, found %s",
                            gapcam::to_string(shape).c_str(), gapcam::to_string(gate).c_str(),
                            gapcam::to_string(recorder.shape(two)).c_str()));
    } else {
      recorder.expect_shape(two, shape, "second input");
    }
    *output = recorder.finish(Binary{static_cast<gapcam_binary>(kind)},
                              {{one, Role::map}, {two, Role::map}}, shape);
  });
}

int32_t gapcam_program_concatenate(gapcam_handle program, const gapcam_handle *inputs,
                                   int32_t count, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "concatenate");
    recorder.check(count >= 1, "it needs at least one input", GAPCAM_INVALID_ARGUMENT);
    not_null(inputs, "inputs");
    std::vector<Operand> maps;
    Shape shape;
    for (int32_t i = 0; i < count; i++) {
      maps.push_back({recorder.use(inputs[i], "input"), Role::map});
      recorder.expect_rank(maps.back().value, 4, "input");
      const Shape own = recorder.shape(maps.back().value);
      if (i == 0) {
        shape = own;
        continue;
      }
      recorder.check(own[0] == shape[0] && own[2] == shape[2] && own[3] == shape[3],
                     format("its inputs must agree in all but channels, found %s and %s",
                            gapcam::to_string(recorder.shape(maps[0].value)).c_str(),
                            gapcam::to_string(own).c_str()));
      shape[1] += own[1];
    }
    *output = recorder.finish(Concatenate{}, std::move(maps), shape);
  });
}

int32_t gapcam_program_batch_norm2d(gapcam_handle program, gapcam_handle input,
                                    gapcam_handle weight, gapcam_handle bias,
                                    gapcam_handle running_mean, gapcam_handle running_variance,
                                    float epsilon, float momentum, int32_t activation, float a,
                                    float b, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "batch_norm2d");
    const std::vector<Operand> inputs = {
        {recorder.use(input, "input"), Role::map},
        {recorder.use(weight, "weight"), Role::parameter},
        {recorder.use(bias, "bias"), Role::parameter},
        {recorder.use(running_mean, "running mean"), Role::statistic},
        {recorder.use(running_variance, "running variance"), Role::statistic}};
    recorder.expect_rank(inputs[0].value, 4, "input");
    const Shape shape = recorder.shape(inputs[0].value), per_channel = {shape[1]};
    recorder.expect_shape(inputs[1].value, per_channel, "weight");
    recorder.expect_shape(inputs[2].value, per_channel, "bias");
    recorder.expect_shape(inputs[3].value, per_channel, "running mean");
    recorder.expect_shape(inputs[4].value, per_channel, "running variance");
    recorder.check(epsilon > 0.0f && momentum >= 0.0f && momentum <= 1.0f,
                   format("epsilon must be above 0 and momentum between 0 and 1, found %g and %g",
                          epsilon, momentum),
                   GAPCAM_INVALID_ARGUMENT);
    recorder.check(!recorder.graph().training || shape[0] * shape[2] * shape[3] > 1,
                   "training needs more than one value per channel");
    BatchNorm2d norm;
    norm.epsilon = epsilon;
    norm.momentum = momentum;
    Value saved;  // mean and 1 / deviation
    saved.shape = {2, shape[1]};
    const Activation after = recorder.activation(activation, a, b);
    *output = recorder.finish(norm, inputs, shape, {saved}, after);
  });
}

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

int32_t gapcam_program_spatial_sum(gapcam_handle program, gapcam_handle input,
                                   gapcam_handle weights, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "spatial_sum");
    const ValueId x = recorder.use(input, "input"), w = recorder.use(weights, "weights");
    recorder.expect_rank(x, 4, "input");
    const Shape in = recorder.shape(x);
    recorder.expect_shape(w, {in[2], in[3]}, "weights");
    *output = recorder.finish(SpatialSum{}, {{x, Role::map}, {w, Role::parameter}}, {in[0], in[1]});
  });
}

int32_t gapcam_program_linear(gapcam_handle program, gapcam_handle input, gapcam_handle weight,
                              gapcam_handle bias, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "linear");
    const Operand x{recorder.use(input, "input"), Role::map},
        w{recorder.use(weight, "weight"), Role::parameter},
        offset{recorder.use_optional(bias, "bias"), Role::parameter};
    recorder.expect_rank(x.value, 2, "input");
    recorder.expect_rank(w.value, 2, "weight");
    const Shape in = recorder.shape(x.value), weights = recorder.shape(w.value);
    recorder.check(in[1] == weights[1],
                   format("its weight %s takes %lld features, the input %s has %lld",
                          gapcam::to_string(weights).c_str(), static_cast<long long>(weights[1]),
                          gapcam::to_string(in).c_str(), static_cast<long long>(in[1])));
    recorder.expect_shape(offset.value, {weights[0]}, "bias");
    *output = recorder.finish(Linear{}, {x, w, offset}, {in[0], weights[0]});
  });
}

int32_t gapcam_program_cross_entropy(gapcam_handle program, gapcam_handle logits,
                                     gapcam_handle labels, float label_smoothing,
                                     gapcam_handle metrics, gapcam_handle *loss, char *message) {
  return guard(message, [&] {
    not_null(loss, "loss");
    Recorder recorder(program, "cross_entropy");
    const Operand x{recorder.use(logits, "logits"), Role::map},
        y{recorder.use(labels, "labels", DataType::i32), Role::labels},
        counts{recorder.use_optional(metrics, "metrics"), Role::metrics};
    recorder.expect_rank(x.value, 2, "logits");
    recorder.expect_shape(y.value, {recorder.shape(x.value)[0]}, "labels");
    recorder.expect_shape(counts.value, {GAPCAM_METRIC_SLOTS}, "metrics");
    recorder.check(label_smoothing >= 0.0f && label_smoothing <= 1.0f,
                   format("label smoothing must be between 0 and 1, found %g", label_smoothing),
                   GAPCAM_INVALID_ARGUMENT);
    *loss = recorder.finish(CrossEntropy{label_smoothing}, {x, y, counts}, {1});
    recorder.graph().values.back().readable = true;
  });
}

int32_t gapcam_program_output(gapcam_handle program, gapcam_handle tensor, char *message) {
  return guard(message, [&] {
    Recorder recorder(program, "output");
    const ValueId value = recorder.use(tensor, "tensor");
    recorder.graph().value(value).readable = true;
  });
}

}  // extern "C"
