#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const SpatialSum &) {
  const MapShape map = l.map_shape(o.inputs[0].value);
  const View input = l.read(o.inputs[0]), weights = l.read_plain(o.inputs[1]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    kernels().spatial_sum(map, m.f32(input), m.f32(weights), m.f32(output));
  });
}

}  // namespace gapcam::cpu
