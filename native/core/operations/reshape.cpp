#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const Reshape &) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  b.append(o, Reshape{}, {b.gradient_of(o.outputs[0])}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam
