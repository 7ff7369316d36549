#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Concatenate &) {
  struct Part {
    View view;
    MapShape shape;
    int64_t first;
  };
  std::vector<Part> parts;
  int64_t first = 0;
  for (const Operand &input : o.inputs) {
    parts.push_back({l.read(input), l.map_shape(input.value), first});
    first += parts.back().shape.channels;
  }
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  const MapShape to = l.map_shape(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    for (const Part &part : parts) {
      kernels().copy_channels(part.shape, 0, to, part.first, part.shape.channels, m.f32(part.view),
                              m.f32(output));
    }
  });
}

}  // namespace gapcam::cpu
