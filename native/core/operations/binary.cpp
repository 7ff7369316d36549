#include "autodiff.h"

namespace gapcam {

// Of a sum, both summands' gradients are that of the sum.
void gradient(Backward &b, const Operation &o, const Binary &) {
  for (const Operand &input : o.inputs) b.add(o, input, b.gradient_of(o.outputs[0]).value);
}

}  // namespace gapcam
