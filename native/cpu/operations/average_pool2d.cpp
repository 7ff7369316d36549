#include "../lowering.h"

namespace gapcam::cpu {

namespace {

PoolShape averaged(const Lowering &l, const AveragePool2d &pool, ValueId input, ValueId output) {
  PoolShape shape = l.pool_shape(pool.window, input, output);
  shape.padding_bottom = pool.padding_bottom;
  shape.padding_right = pool.padding_right;
  return shape;
}

}  // namespace

void lower(Lowering &l, const Operation &o, const AveragePool2d &pool) {
  const PoolShape shape = averaged(l, pool, o.inputs[0].value, o.outputs[0]);
  const View input = l.read(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, include = pool.count_include_pad, &m = l.memory()] {
    kernels().average_pool2d(shape, include, m.f32(input), m.f32(output));
  });
}

void lower(Lowering &l, const Operation &o, const AveragePool2dBackward &pool) {
  const PoolShape shape = averaged(l, pool, o.outputs[0], o.inputs[0].value);
  const View d_output = l.read(o.inputs[0], l.layout(o.outputs[0]));
  l.begin(o);
  const View d_input = l.write(o.outputs[0]);
  l.run([=, include = pool.count_include_pad, &m = l.memory()] {
    kernels().average_pool2d_backward(shape, include, m.f32(d_output), m.f32(d_input));
  });
}

}  // namespace gapcam::cpu
