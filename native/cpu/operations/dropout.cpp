#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Dropout &dropout) {
  const ValueId made = o.outputs[0];
  const View input = l.read(o.inputs[0], l.layout(made)), settings = l.read(o.inputs[1]);
  l.begin(o);
  const View output = l.write_over(made, o.inputs[0]);
  MapShape map = l.map_shape(made);
  if (l.shape(made).size() != 4) {
    map.batch = l.shape(made)[0];
    map.channels = element_count(l.shape(made)) / map.batch;
    map.width = 1;
  }
  l.run([=, shape = static_cast<const DropoutShape &>(dropout), &m = l.memory()] {
    kernels().dropout(map, shape, m.i32(settings), m.f32(input), m.f32(output));
  });
}

}  // namespace gapcam::cpu
