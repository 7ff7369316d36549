#include "../lowering.h"

namespace gapcam::cuda {

void lower(Lowering &l, const Operation &o, const SliceBackward &slice) {
  const ValueId made = o.outputs[0];
  const int64_t channels = l.shape(o.inputs[0].value)[1];
  const int64_t from_stored = l.stored_channels(o.inputs[0].value),
                to_stored = l.stored_channels(made);
  const int64_t count = l.shape(made)[0] * l.pixels(made) * to_stored;
  const View d_output = l.read_map(o.inputs[0]);
  l.begin(o);
  const View d_input = l.write(made);
  l.run([=, first = slice.first, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(d_output), address(d_input), count, from_stored,
                      to_stored, first, channels);
    };
    bf16 ? run(gpu.kernels().place_channels_bf16) : run(gpu.kernels().place_channels_f32);
  });
}

}  // namespace gapcam::cuda
