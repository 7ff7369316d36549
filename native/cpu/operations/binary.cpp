#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Binary &binary) {
  const Layout layout = l.layout(o.outputs[0]);
  const View a = l.read(o.inputs[0], layout), b = l.read(o.inputs[1], layout);
  const bool gate = l.shape(o.inputs[0].value) != l.shape(o.inputs[1].value);
  l.begin(o);
  const View made = l.write_over(o.outputs[0], o.inputs[0]);
  const MapShape map = l.map_shape(o.outputs[0]);
  l.run([=, kind = binary.kind, &m = l.memory()] {
    const Kernels &k = kernels();
    if (gate) {
      k.multiply_gate(map, m.f32(a), m.f32(b), m.f32(made));
    } else {
      const auto kernel = kind == GAPCAM_ADD      ? k.add
                          : kind == GAPCAM_DIVIDE ? k.divide
                                                  : k.multiply;
      kernel(m.f32(a), m.f32(b), m.f32(made), map.elements());
    }
  });
}

void lower(Lowering &l, const Operation &o, const GateGradient &) {
  const Layout layout = l.layout(o.outputs[0]);
  MapShape map = l.map_shape(o.inputs[1].value);
  map.block = layout.block;
  const View d_output = l.read(o.inputs[0], layout), other = l.read(o.inputs[1], layout);
  l.begin(o);
  const View d_gate = l.write(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    kernels().gate_gradient(map, m.f32(d_output), m.f32(other), m.f32(d_gate));
  });
}

}  // namespace gapcam::cpu
