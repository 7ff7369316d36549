// Recording of operations: checks of arguments and shapes.
#include <cmath>

#include "recorder.h"

using namespace gapcam;

extern "C" {

int32_t gapcam_program_prepare_images(gapcam_handle program, gapcam_handle images, int64_t height,
                                      int64_t width, const float *mean, const float *deviation,
                                      gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "prepare_images");
    Operation operation;
    operation.kind = OperationKind::prepare_images;
    const ValueId input = recorder.use(images, "image batch", DataType::u8);
    recorder.expect_rank(input, 4, "image batch");
    recorder.check(height >= 1 && width >= 1 && height <= 65536 && width <= 65536,
                   format("the size must be between 1 and 65536, found %lld x %lld",
                          static_cast<long long>(height), static_cast<long long>(width)),
                   GAPCAM_INVALID_ARGUMENT);
    const Shape shape = recorder.shape(input);
    const auto channels = static_cast<size_t>(shape[3]);
    operation.mean.assign(not_null(mean, "mean"), mean + channels);
    operation.deviation.assign(not_null(deviation, "deviation"), deviation + channels);
    for (const float one : operation.deviation) {
      recorder.check(one > 0.0f && std::isfinite(one), "a deviation must be above 0",
                     GAPCAM_INVALID_ARGUMENT);
    }
    operation.inputs = {input};
    *output = recorder.finish(std::move(operation), {shape[0], shape[3], height, width});
  });
}

int32_t gapcam_program_conv2d(gapcam_handle program, gapcam_handle input, gapcam_handle weight,
                              gapcam_handle bias, int32_t stride_height, int32_t stride_width,
                              int32_t padding_height, int32_t padding_width, float negative_slope,
                              gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "conv2d");
    Operation operation;
    operation.kind = OperationKind::conv2d;
    operation.inputs = {recorder.use(input, "input"), recorder.use(weight, "weight"),
                        recorder.use_optional(bias, "bias")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    recorder.expect_rank(operation.inputs[1], 4, "weight");
    const Shape in = recorder.shape(operation.inputs[0]);
    const Shape kernel = recorder.shape(operation.inputs[1]);
    recorder.check(in[1] == kernel[1],
                   format("its weight %s takes %lld channels, the input %s has %lld",
                          gapcam::to_string(kernel).c_str(), static_cast<long long>(kernel[1]),
                          gapcam::to_string(in).c_str(), static_cast<long long>(in[1])));
    recorder.expect_shape(operation.inputs[2], {kernel[0]}, "bias");
    recorder.check_slope(negative_slope);
    const int64_t rows =
        recorder.window_count(in[2], kernel[2], stride_height, padding_height, "height");
    const int64_t columns =
        recorder.window_count(in[3], kernel[3], stride_width, padding_width, "width");
    operation.kernel_height = static_cast<int>(kernel[2]);
    operation.kernel_width = static_cast<int>(kernel[3]);
    operation.stride_height = stride_height;
    operation.stride_width = stride_width;
    operation.padding_height = padding_height;
    operation.padding_width = padding_width;
    operation.negative_slope = negative_slope;
    *output = recorder.finish(std::move(operation), {in[0], kernel[0], rows, columns});
  });
}

int32_t gapcam_program_leaky_relu(gapcam_handle program, gapcam_handle input, float negative_slope,
                                  gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "leaky_relu");
    Operation operation;
    operation.kind = OperationKind::leaky_relu;
    operation.inputs = {recorder.use(input, "input")};
    operation.negative_slope = negative_slope;
    recorder.check_slope(negative_slope);
    const Shape shape = recorder.shape(operation.inputs[0]);
    *output = recorder.finish(std::move(operation), shape);
  });
}

int32_t gapcam_program_batch_norm2d(gapcam_handle program, gapcam_handle input,
                                    gapcam_handle weight, gapcam_handle bias,
                                    gapcam_handle running_mean, gapcam_handle running_variance,
                                    float epsilon, float momentum, float negative_slope,
                                    gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "batch_norm2d");
    Operation operation;
    operation.kind = OperationKind::batch_norm2d;
    operation.inputs = {recorder.use(input, "input"), recorder.use(weight, "weight"),
                        recorder.use(bias, "bias"), recorder.use(running_mean, "running mean"),
                        recorder.use(running_variance, "running variance")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    const Shape shape = recorder.shape(operation.inputs[0]);
    const Shape per_channel = {shape[1]};
    recorder.expect_shape(operation.inputs[1], per_channel, "weight");
    recorder.expect_shape(operation.inputs[2], per_channel, "bias");
    recorder.expect_shape(operation.inputs[3], per_channel, "running mean");
    recorder.expect_shape(operation.inputs[4], per_channel, "running variance");
    recorder.check(epsilon > 0.0f && momentum >= 0.0f && momentum <= 1.0f,
                   format("epsilon must be above 0 and momentum between 0 and 1, found %g and %g",
                          epsilon, momentum),
                   GAPCAM_INVALID_ARGUMENT);
    recorder.check(!recorder.graph().training || shape[0] * shape[2] * shape[3] > 1,
                   "training needs more than one value per channel");
    recorder.check_slope(negative_slope);
    operation.epsilon = epsilon;
    operation.momentum = momentum;
    operation.negative_slope = negative_slope;
    *output = recorder.finish(std::move(operation), shape);
  });
}

int32_t gapcam_program_max_pool2d(gapcam_handle program, gapcam_handle input, int32_t kernel_height,
                                  int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                                  int32_t padding_height, int32_t padding_width,
                                  gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "max_pool2d");
    Operation operation;
    operation.kind = OperationKind::max_pool2d;
    operation.inputs = {recorder.use(input, "input")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    const Shape in = recorder.shape(operation.inputs[0]);
    const int64_t rows =
        recorder.window_count(in[2], kernel_height, stride_height, padding_height, "height");
    const int64_t columns =
        recorder.window_count(in[3], kernel_width, stride_width, padding_width, "width");
    recorder.check(padding_height <= kernel_height / 2 && padding_width <= kernel_width / 2,
                   format("padding must be at most half the kernel, found %d x %d and %d x %d",
                          padding_height, padding_width, kernel_height, kernel_width),
                   GAPCAM_INVALID_ARGUMENT);
    operation.kernel_height = kernel_height;
    operation.kernel_width = kernel_width;
    operation.stride_height = stride_height;
    operation.stride_width = stride_width;
    operation.padding_height = padding_height;
    operation.padding_width = padding_width;
    *output = recorder.finish(std::move(operation), {in[0], in[1], rows, columns});
  });
}

int32_t gapcam_program_global_average_pool(gapcam_handle program, gapcam_handle input,
                                           gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "global_average_pool");
    Operation operation;
    operation.kind = OperationKind::global_average_pool;
    operation.inputs = {recorder.use(input, "input")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    const Shape in = recorder.shape(operation.inputs[0]);
    *output = recorder.finish(std::move(operation), {in[0], in[1]});
  });
}

int32_t gapcam_program_spatial_sum(gapcam_handle program, gapcam_handle input,
                                   gapcam_handle weights, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "spatial_sum");
    Operation operation;
    operation.kind = OperationKind::spatial_sum;
    operation.inputs = {recorder.use(input, "input"), recorder.use(weights, "weights")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    const Shape in = recorder.shape(operation.inputs[0]);
    recorder.expect_shape(operation.inputs[1], {in[2], in[3]}, "weights");
    *output = recorder.finish(std::move(operation), {in[0], in[1]});
  });
}

int32_t gapcam_program_linear(gapcam_handle program, gapcam_handle input, gapcam_handle weight,
                              gapcam_handle bias, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "linear");
    Operation operation;
    operation.kind = OperationKind::linear;
    operation.inputs = {recorder.use(input, "input"), recorder.use(weight, "weight"),
                        recorder.use_optional(bias, "bias")};
    recorder.expect_rank(operation.inputs[0], 2, "input");
    recorder.expect_rank(operation.inputs[1], 2, "weight");
    const Shape in = recorder.shape(operation.inputs[0]);
    const Shape weights = recorder.shape(operation.inputs[1]);
    recorder.check(in[1] == weights[1],
                   format("its weight %s takes %lld features, the input %s has %lld",
                          gapcam::to_string(weights).c_str(), static_cast<long long>(weights[1]),
                          gapcam::to_string(in).c_str(), static_cast<long long>(in[1])));
    recorder.expect_shape(operation.inputs[2], {weights[0]}, "bias");
    *output = recorder.finish(std::move(operation), {in[0], weights[0]});
  });
}

int32_t gapcam_program_cross_entropy(gapcam_handle program, gapcam_handle logits,
                                     gapcam_handle labels, float label_smoothing,
                                     gapcam_handle metrics, gapcam_handle *loss, char *message) {
  return guard(message, [&] {
    not_null(loss, "loss");
    Recorder recorder(program, "cross_entropy");
    Operation operation;
    operation.kind = OperationKind::cross_entropy;
    operation.inputs = {recorder.use(logits, "logits"),
                        recorder.use(labels, "labels", DataType::i32),
                        recorder.use_optional(metrics, "metrics")};
    recorder.expect_rank(operation.inputs[0], 2, "logits");
    recorder.expect_shape(operation.inputs[1], {recorder.shape(operation.inputs[0])[0]}, "labels");
    recorder.expect_shape(operation.inputs[2], {8}, "metrics");
    recorder.check(label_smoothing >= 0.0f && label_smoothing <= 1.0f,
                   format("label smoothing must be between 0 and 1, found %g", label_smoothing),
                   GAPCAM_INVALID_ARGUMENT);
    operation.label_smoothing = label_smoothing;
    *loss = recorder.finish(std::move(operation), {1});
    recorder.graph().values.back().readable = true;
  });
}

int32_t gapcam_program_output(gapcam_handle program, gapcam_handle tensor, char *message) {
  return guard(message, [&] {
    Recorder recorder(program, "output");
    const ValueId value = recorder.use(tensor, "tensor");
    recorder.graph().values[static_cast<size_t>(value)].readable = true;
  });
}

}  // extern "C"
