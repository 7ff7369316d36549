#include "autodiff.h"

namespace gapcam {

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
