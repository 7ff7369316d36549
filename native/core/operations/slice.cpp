#include "autodiff.h"

namespace gapcam {

// What was left out has the gradient 0.
void gradient(Backward &b, const Operation &o, const Slice &slice) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  b.append(o, SliceBackward{slice.first}, {b.gradient_of(o.outputs[0])}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam
