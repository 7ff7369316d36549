#include "../lowering.h"
#include "elementwise.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Unary &unary) {
  const View input = l.read(o.inputs[0]);
  l.begin(o);
  const View output = l.write_over(o.outputs[0], o.inputs[0]);
  const int64_t count = map_elements(l.shape(o.outputs[0]), l.layout(o.outputs[0]));
  const MapShape map = l.map_shape(o.outputs[0]);
  const Activation &kind = unary.activation;
  const bool fills = map.channels % map.block != 0 && activate(kind.kind, kind.a, kind.b, 0) != 0;
  l.run([=, act = unary.activation, &m = l.memory()] {
    kernels().activation(act.kind, act.a, act.b, m.f32(input), m.f32(output), count);
    if (fills) kernels().clear_padding(map, m.f32(output));
  });
}

void lower(Lowering &l, const Operation &o, const UnaryBackward &unary) {
  const ValueId d_input = o.outputs[0];
  const View d_output = l.read(o.inputs[0], l.layout(d_input)),
             known = l.read(o.inputs[1], l.layout(d_input));
  l.begin(o);
  const View made = l.write_over(d_input, o.inputs[0]);
  const int64_t count = map_elements(l.shape(d_input), l.layout(d_input));
  l.run([=, act = unary.activation, &m = l.memory()] {
    kernels().activation_backward(act.kind, act.a, act.b, m.f32(known), m.f32(d_output),
                                  m.f32(made), count);
  });
}

}  // namespace gapcam::cpu
