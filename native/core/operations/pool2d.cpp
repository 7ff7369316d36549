#include "autodiff.h"

namespace gapcam {

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
