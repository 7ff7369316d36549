#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const ChannelShuffle &shuffle) {
  const View input = l.read(o.inputs[0], l.layout(o.outputs[0]));
  const MapShape map = l.map_shape(o.outputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, groups = shuffle.groups, &m = l.memory()] {
    kernels().shuffle_channels(map, groups, m.f32(input), m.f32(output));
  });
}

}  // namespace gapcam::cpu
