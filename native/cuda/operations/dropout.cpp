#include "../lowering.h"

namespace gapcam::cuda {

void lower(Lowering &l, const Operation &o, const Dropout &dropout) {
  const ValueId made = o.outputs[0];
  const bool map = l.shape(made).size() == 4;
  const int64_t each = element_count(l.shape(made)) / l.shape(made)[0];
  const View input = l.read_map(o.inputs[0]), settings = l.read(o.inputs[1]);
  l.begin(o);
  const View output = l.write_over(made, o.inputs[0]);
  const int64_t count = map ? l.groups(made) : element_count(l.shape(made)),
                pixels = map ? l.pixels(made) : 1, channels = l.shape(made)[1],
                channel_groups = map ? l.stored_channels(made) / l.lanes() : 1;
  l.run([=, shape = static_cast<const DropoutShape &>(dropout), address = l.addresses(),
         bf16 = l.bf16()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    if (map) {
      gpu.launch_over(bf16 ? k.dropout_bf16 : k.dropout_f32, count, address(input),
                      address(settings), address(output), count, pixels, channels, channel_groups,
                      shape);
    } else {
      gpu.launch_over(k.dropout_elements, count, address(input), address(settings), address(output),
                      count, each, shape);
    }
  });
}

}  // namespace gapcam::cuda
