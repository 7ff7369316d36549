#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const OutputGradient &) {
  const ValueId made = o.outputs[0];
  const View given = l.read(o.inputs[0]);
  l.begin(o).name = "output_gradient " + to_string(l.shape(made));
  const View seed = l.write(made);
  MapShape from = l.map_shape(made);
  const int64_t block = from.block;
  from.block = o.inputs[0] ? l.map_shape(o.inputs[0].value).block : 1;
  l.run([=, &m = l.memory()] {
    const float one = 1.0f;
    kernels().reorder(from, block, given ? m.f32(given) : &one, m.f32(seed));
  });
}

}  // namespace gapcam::cpu
