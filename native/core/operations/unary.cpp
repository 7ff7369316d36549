#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const Unary &unary) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  const Operand known = unary.activation.differentiates_from_output()
                            ? Operand{o.outputs[0], Role::map}
                            : o.inputs[0];
  b.append(o, UnaryBackward{unary.activation}, {b.gradient_of(o.outputs[0]), known}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam
