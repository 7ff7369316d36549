#include "../lowering.h"

namespace gapcam::cuda {

namespace {

bool is_narrow(const PoolShape &pool) { return pool.kernel_height * pool.kernel_width <= 256; }

// Whether every pixel lies in exactly one window.
bool is_apart(const PoolShape &pool) {
  return pool.kernel_height == pool.stride_height && pool.kernel_width == pool.stride_width &&
         pool.padding_height == 0 && pool.padding_width == 0 &&
         pool.height == pool.output_height * pool.stride_height &&
         pool.width == pool.output_width * pool.stride_width;
}

}  // namespace

void lower(Lowering &l, const Operation &o, const MaxPool2d &attributes) {
  const PoolShape pool = l.pool_shape(attributes.window, o.inputs[0].value, o.outputs[0]);
  const View input = l.read_map(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  const int64_t count = l.groups(o.outputs[0]);
  View positions;
  if (o.outputs[1] != no_value) {
    positions =
        l.write(o.outputs[1], static_cast<size_t>(count * l.lanes()) * (is_narrow(pool) ? 1 : 4));
  }
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(input), address(output), address(positions), pool);
    };
    if (is_narrow(pool)) {
      bf16 ? run(k.max_pool_bf16_u8) : run(k.max_pool_f32_u8);
    } else {
      bf16 ? run(k.max_pool_bf16_i32) : run(k.max_pool_f32_i32);
    }
  });
}

void lower(Lowering &l, const Operation &o, const MaxPool2dBackward &attributes) {
  const PoolShape pool = l.pool_shape(attributes.window, o.outputs[0], attributes.output);
  const View d_output = l.read_map(o.inputs[0]), positions = l.read(o.inputs[1]),
             pooled = l.read_map(o.inputs[2]);
  l.begin(o);
  const View d_input = l.write(o.outputs[0]);
  const bool apart = is_apart(pool), narrow = is_narrow(pool);
  const int64_t count = apart ? l.groups(attributes.output) : l.groups(o.outputs[0]);
  const float slope = attributes.input_activation.slope();
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(d_output), address(positions), address(pooled),
                      address(d_input), pool, slope);
    };
    if (apart && narrow) {
      bf16 ? run(k.max_pool_backward_apart_bf16_u8) : run(k.max_pool_backward_apart_f32_u8);
    } else if (apart) {
      bf16 ? run(k.max_pool_backward_apart_bf16_i32) : run(k.max_pool_backward_apart_f32_i32);
    } else if (narrow) {
      bf16 ? run(k.max_pool_backward_bf16_u8) : run(k.max_pool_backward_f32_u8);
    } else {
      bf16 ? run(k.max_pool_backward_bf16_i32) : run(k.max_pool_backward_f32_i32);
    }
  });
}

}  // namespace gapcam::cuda
