#include "../lowering.h"

namespace gapcam::cuda {

void lower(Lowering &l, const Operation &o, const ChannelShuffle &shuffle) {
  const ValueId made = o.outputs[0];
  const int64_t channels = l.shape(made)[1], all_channels = l.stored_channels(made);
  const int64_t count = l.shape(made)[0] * l.pixels(made) * all_channels;
  const View input = l.read_map(o.inputs[0]);
  l.begin(o);
  const View output = l.write(made);
  l.run([=, groups = shuffle.groups, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(input), address(output), count, channels, all_channels,
                      groups);
    };
    bf16 ? run(gpu.kernels().shuffle_channels_bf16) : run(gpu.kernels().shuffle_channels_f32);
  });
}

}  // namespace gapcam::cuda
