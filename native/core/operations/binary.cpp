#include "autodiff.h"

namespace gapcam {

// Of a sum, both summands' gradients are that of the sum; of a product, that times the other one.
void gradient(Backward &b, const Operation &o, const Binary &binary) {
  const Operand d_output = b.gradient_of(o.outputs[0]);
  for (size_t i = 0; i < 2; i++) {
    const Operand &input = o.inputs[i], &other = o.inputs[1 - i];
    if (binary.kind == GAPCAM_ADD) {
      b.add(o, input, d_output.value);
    } else if (b.wants(input)) {
      const ValueId d_input = b.make_gradient(input);
      const bool whole = b.graph().shape(input.value) == b.graph().shape(o.outputs[0]);
      b.append(o, whole ? Attributes{binary} : GateGradient{}, {d_output, other}, {d_input});
      b.add(o, input, d_input);
    }
  }
}

}  // namespace gapcam
