#include "../lowering.h"

namespace gapcam::cuda {

namespace {

// The one element of an output that is given no gradient, and what fills up its group.
void write_one(const Gpu &gpu, driver::Pointer target, bool narrow) {
  Words words{};
  words.word[0] = narrow ? 0x3f80u : 0x3f800000u;
  gpu.launch(gpu.kernels().write_words, 1, 1, target, words, 4);
}

}  // namespace

void lower(Lowering &l, const Operation &o, const OutputGradient &) {
  const ValueId made = o.outputs[0];
  const bool map = l.shape(made).size() == 4;
  // A tensor of the device is brought into the form of a map here; a map of the program is one.
  const View given = l.read(o.inputs[0]);
  const bool from_map = o.inputs[0] && l.is_map(o.inputs[0].value);
  l.begin(o, "output_gradient", no_value).name = "output_gradient " + to_string(l.shape(made));
  const View seed = l.write(made);
  MapCopy copy{};
  if (map) {
    copy = l.map_copy(l.shape(made), true);
  } else {
    copy.batch = copy.pixels = 1;
    copy.channels = copy.filled = element_count(l.shape(made));
    copy.source_channel = copy.target_channel = 1;
    copy.channels_innermost = 1;
  }
  const bool narrow = l.bf16() && map;
  const int64_t groups = l.groups(made);
  l.run([=, address = l.addresses()](const Gpu &gpu) {
    if (!given) return write_one(gpu, address(seed), narrow);
    const Kernels &k = gpu.kernels();
    const auto whole = [&](const auto &kernel) {
      gpu.launch_over(kernel, groups, address(given), address(seed), groups, 1.0f);
    };
    const auto converted = [&](const auto &kernel) {
      gpu.launch_over(kernel, copy.batch * copy.pixels * copy.channels, address(given),
                      address(seed), copy);
    };
    if (from_map) {
      narrow ? whole(k.leaky_relu_bf16) : whole(k.leaky_relu_f32);
    } else {
      narrow ? converted(k.copy_f32_to_bf16) : converted(k.copy_f32_to_f32);
    }
  });
}

}  // namespace gapcam::cuda
