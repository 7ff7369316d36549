#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const Linear &) {
  const Operand &input = o.inputs[0], &weight = o.inputs[1], &bias = o.inputs[2];
  const ValueId d_input = b.make_gradient(input), d_weight = b.make_gradient(weight),
                d_bias = b.make_gradient(bias);
  b.append(o, LinearBackward{}, {b.gradient_of(o.outputs[0]), input, weight},
           {d_input, d_weight, d_bias});
  b.add(o, input, d_input);
  b.add(o, weight, d_weight);
  b.add(o, bias, d_bias);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

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

}  // extern "C"
