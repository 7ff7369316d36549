#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const GlobalAveragePool &) {
  const MapShape map = l.map_shape(o.inputs[0].value);
  const View input = l.read(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, &m = l.memory()] { kernels().average_pool(map, m.f32(input), m.f32(output)); });
}

void lower(Lowering &l, const Operation &o, const GlobalAveragePoolBackward &) {
  const MapShape map = l.map_shape(o.outputs[0]);
  const View d_output = l.read(o.inputs[0]);
  l.begin(o);
  const View d_input = l.write(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    kernels().average_pool_backward(map, m.f32(d_output), m.f32(d_input));
  });
}

}  // namespace gapcam::cpu
