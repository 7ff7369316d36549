#include "../lowering.h"

namespace gapcam::cuda {

void lower(Lowering &l, const Operation &o, const Reshape &) {
  const ValueId made = o.outputs[0];
  const bool to_map = l.shape(made).size() == 4;
  const Shape &map = l.shape(to_map ? made : o.inputs[0].value);
  MapCopy copy = l.map_copy(map, to_map);
  // A matrix is in the host's order: pixels innermost.
  const int64_t pixels = map[2] * map[3];
  (to_map ? copy.source_pixel : copy.target_pixel) = 1;
  (to_map ? copy.source_channel : copy.target_channel) = pixels;
  copy.channels_innermost = to_map;
  const View input = to_map ? l.read(o.inputs[0]) : l.read_map(o.inputs[0]);
  l.begin(o);
  const View output = l.write(made);
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, copy.batch * copy.pixels * copy.channels, address(input),
                      address(output), copy);
    };
    if (!bf16) {
      run(k.copy_f32_to_f32);
    } else {
      to_map ? run(k.copy_f32_to_bf16) : run(k.copy_bf16_to_f32);
    }
  });
}

}  // namespace gapcam::cuda
