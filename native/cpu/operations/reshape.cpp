#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Reshape &) {
  const ValueId made = o.outputs[0];
  // The map on either side; what is on the other lies as a plain one.
  const bool to_map = l.shape(made).size() == 4;
  const MapShape map = l.map_shape(to_map ? made : o.inputs[0].value);
  MapShape from = map;
  if (to_map) from.block = 1;
  const View input = l.read(o.inputs[0]);
  l.begin(o);
  const View output = map.block == 1 ? l.write_over(made, o.inputs[0]) : l.write(made);
  l.run([=, to = to_map ? map.block : 1, &m = l.memory()] {
    if (m.f32(input) == m.f32(output)) return;
    kernels().reorder(from, to, m.f32(input), m.f32(output));
  });
}

}  // namespace gapcam::cpu
