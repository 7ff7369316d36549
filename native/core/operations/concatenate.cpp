#include "autodiff.h"

namespace gapcam {

// Each input's gradient is its own part of the output's.
void gradient(Backward &b, const Operation &o, const Concatenate &) {
  int64_t first = 0;
  for (const Operand &input : o.inputs) {
    if (b.wants(input)) {
      const ValueId d_input = b.make_gradient(input);
      b.append(o, Slice{first}, {b.gradient_of(o.outputs[0])}, {d_input});
      b.add(o, input, d_input);
    }
    first += b.graph().shape(input.value)[1];
  }
}

}  // namespace gapcam
