#include "../lowering.h"

namespace gapcam::cuda {

namespace {

PoolShape averaged(const Lowering &l, const AveragePool2d &pool, ValueId input, ValueId output) {
  PoolShape shape = l.pool_shape(pool.window, input, output);
  shape.padding_bottom = pool.padding_bottom;
  shape.padding_right = pool.padding_right;
  return shape;
}

}  // namespace

void lower(Lowering &l, const Operation &o, const AveragePool2d &attributes) {
  const PoolShape pool = averaged(l, attributes, o.inputs[0].value, o.outputs[0]);
  const View input = l.read_map(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16(), count = l.groups(o.outputs[0]),
         include = static_cast<int>(attributes.count_include_pad)](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(input), address(output), pool, include);
    };
    bf16 ? run(gpu.kernels().average_pool2d_bf16) : run(gpu.kernels().average_pool2d_f32);
  });
}

void lower(Lowering &l, const Operation &o, const AveragePool2dBackward &attributes) {
  const PoolShape pool = averaged(l, attributes, o.outputs[0], o.inputs[0].value);
  const View d_output = l.read_map(o.inputs[0]);
  l.begin(o);
  const View d_input = l.write(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16(), count = l.groups(o.outputs[0]),
         include = static_cast<int>(attributes.count_include_pad)](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(d_output), address(d_input), pool, include);
    };
    bf16 ? run(gpu.kernels().average_pool2d_backward_bf16)
         : run(gpu.kernels().average_pool2d_backward_f32);
  });
}

}  // namespace gapcam::cuda
