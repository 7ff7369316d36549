#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const MaxPool2d &pool) {
  const PoolShape shape = l.pool_shape(pool.window, o.inputs[0].value, o.outputs[0]);
  const View input = l.read(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]), positions = l.write(o.outputs[1]);
  l.run([=, &m = l.memory()] {
    kernels().max_pool(shape, m.f32(input), m.f32(output), m.data(positions));
  });
}

void lower(Lowering &l, const Operation &o, const MaxPool2dBackward &pool) {
  const PoolShape shape = l.pool_shape(pool.window, o.outputs[0], pool.output);
  const View d_output = l.read(o.inputs[0], l.layout(o.outputs[0])),
             positions = l.read(o.inputs[1]);
  l.begin(o);
  const View d_input = l.write(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    kernels().max_pool_backward(shape, m.f32(d_output), m.data(positions), m.f32(d_input));
  });
}

}  // namespace gapcam::cpu
