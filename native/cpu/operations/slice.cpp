#include <cstring>

#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Slice &slice) {
  const MapShape from = l.map_shape(o.inputs[0].value), to = l.map_shape(o.outputs[0]);
  const View input = l.read(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, first = slice.first, &m = l.memory()] {
    kernels().copy_channels(from, first, to, 0, to.channels, m.f32(input), m.f32(output));
  });
}

void lower(Lowering &l, const Operation &o, const SliceBackward &slice) {
  const MapShape from = l.map_shape(o.inputs[0].value), to = l.map_shape(o.outputs[0]);
  const View d_output = l.read(o.inputs[0]);
  l.begin(o);
  const View d_input = l.write(o.outputs[0]);
  l.run([=, first = slice.first, &m = l.memory()] {
    std::memset(m.f32(d_input), 0, static_cast<size_t>(to.elements()) * sizeof(float));
    kernels().copy_channels(from, 0, to, first, from.channels, m.f32(d_output), m.f32(d_input));
  });
}

}  // namespace gapcam::cpu
