#include "../lowering.h"

namespace gapcam::cuda {

void lower(Lowering &l, const Operation &o, const Resample &) {
  const ValueId map = o.inputs[0].value, made = o.outputs[0];
  const Shape &from = l.shape(map), &to = l.shape(made);
  const ResampleShape shape{static_cast<int>(from[2]), static_cast<int>(from[3]),
                            static_cast<int>(to[2]), static_cast<int>(to[3]),
                            static_cast<int>(l.stored_channels(made))};
  const View input = l.read_map(o.inputs[0]);
  const View rows = l.read(o.inputs[1]), columns = l.read(o.inputs[2]);
  l.begin(o);
  const View output = l.write(made);
  l.run([=, address = l.addresses(), bf16 = l.bf16(), count = l.groups(made)](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(input), address(rows), address(columns),
                      address(output), count, shape);
    };
    bf16 ? run(gpu.kernels().resample_bf16) : run(gpu.kernels().resample_f32);
  });
}

}  // namespace gapcam::cuda
