#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const BatchNorm2d &norm) {
  const Operand &input = o.inputs[0], &weight = o.inputs[1], &bias = o.inputs[2];
  const ValueId d_input = b.make_gradient(input), d_weight = b.make_gradient(weight),
                d_bias = b.make_gradient(bias);
  b.append(o, BatchNorm2dBackward{norm},
           {b.gradient_of(o.outputs[0]), input, weight, bias, {o.outputs[1], Role::saved}},
           {d_input, d_weight, d_bias});
  b.add(o, input, d_input);
  b.add(o, weight, d_weight);
  b.add(o, bias, d_bias);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

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

}  // extern "C"
