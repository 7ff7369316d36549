#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Binary &) {
  const Layout layout = l.layout(o.outputs[0]);
  const View a = l.read(o.inputs[0], layout), b = l.read(o.inputs[1], layout);
  l.begin(o);
  const View sum = l.write_over(o.outputs[0], o.inputs[0]);
  const int64_t count = map_elements(l.shape(o.outputs[0]), layout);
  l.run([=, &m = l.memory()] { kernels().add(m.f32(a), m.f32(b), m.f32(sum), count); });
}

}  // namespace gapcam::cpu
