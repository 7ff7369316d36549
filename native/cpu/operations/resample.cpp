#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Resample &) {
  const Shape &from = l.shape(o.inputs[0].value), &to = l.shape(o.outputs[0]);
  const ResampleShape shape{from[0] * from[1], from[2], from[3], to[2], to[3]};
  const View input = l.read_plain(o.inputs[0]);
  const View rows = l.read_plain(o.inputs[1]), columns = l.read_plain(o.inputs[2]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    kernels().resample(shape, m.f32(input), m.f32(rows), m.f32(columns), m.f32(output));
  });
}

}  // namespace gapcam::cpu
