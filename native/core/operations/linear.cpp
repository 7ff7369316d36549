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
