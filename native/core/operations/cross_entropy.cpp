#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const CrossEntropy &loss) {
  const Operand &logits = o.inputs[0], &labels = o.inputs[1];
  const ValueId d_logits = b.make_gradient(logits);
  b.append(o, CrossEntropyBackward{loss.label_smoothing},
           {b.gradient_of(o.outputs[0]), logits, labels}, {d_logits});
  b.add(o, logits, d_logits);
}

}  // namespace gapcam
