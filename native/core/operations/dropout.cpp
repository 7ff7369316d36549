#include "autodiff.h"

namespace gapcam {

// The same factors again: they are a function of the settings and of the element.
void gradient(Backward &b, const Operation &o, const Dropout &dropout) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  b.append(o, dropout, {b.gradient_of(o.outputs[0]), o.inputs[1]}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam
