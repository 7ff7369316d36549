#include "../lowering.h"

namespace gapcam::cuda {

void lower(Lowering &l, const Operation &o, const GlobalAveragePool &) {
  const ValueId map = o.inputs[0].value;
  const int64_t batch = l.shape(map)[0], channels = l.shape(map)[1];
  const int64_t all_channels = l.stored_channels(map), count = l.pixels(map);
  const SumShape sum = l.sum_shape(count, all_channels, 1);
  const View input = l.read_map(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, sum.blocks, batch, address(input), address(output), count, channels,
                 all_channels, sum.columns);
    };
    bf16 ? run(gpu.kernels().average_pool_bf16) : run(gpu.kernels().average_pool_f32);
  });
}

void lower(Lowering &l, const Operation &o, const GlobalAveragePoolBackward &attributes) {
  const ValueId made = o.outputs[0];
  const int64_t channels = l.shape(made)[1], all_channels = l.stored_channels(made);
  const int64_t pixel_count = l.pixels(made), count = l.groups(made);
  const View d_output = l.read(o.inputs[0]), input = l.read_map(o.inputs[1]);
  l.begin(o);
  const View d_input = l.write(made);
  const float slope = attributes.input_activation.slope();
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(d_output), address(input), address(d_input), count,
                      pixel_count, channels, all_channels, slope);
    };
    bf16 ? run(gpu.kernels().average_pool_backward_bf16)
         : run(gpu.kernels().average_pool_backward_f32);
  });
}

}  // namespace gapcam::cuda
