#include "../lowering.h"

namespace gapcam::cuda {

void lower(Lowering &l, const Operation &o, const SpatialSum &) {
  const ValueId map = o.inputs[0].value;
  const int64_t batch = l.shape(map)[0], channels = l.shape(map)[1];
  const int64_t all_channels = l.stored_channels(map), count = l.pixels(map);
  const SumShape sum = l.sum_shape(count, all_channels, 1);
  const View input = l.read_map(o.inputs[0]), weights = l.read(o.inputs[1]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, sum.blocks, batch, address(input), address(weights), address(output),
                 count, channels, all_channels, sum.columns);
    };
    bf16 ? run(gpu.kernels().spatial_sum_bf16) : run(gpu.kernels().spatial_sum_f32);
  });
}

}  // namespace gapcam::cuda
