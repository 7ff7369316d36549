#include "autodiff.h"

namespace gapcam {

// Back to where they were: a shuffle too, of as many groups as there were channels in each.
void gradient(Backward &b, const Operation &o, const ChannelShuffle &shuffle) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  const int64_t channels = b.graph().shape(o.outputs[0])[1];
  b.append(o, ChannelShuffle{channels / shuffle.groups}, {b.gradient_of(o.outputs[0])}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam
