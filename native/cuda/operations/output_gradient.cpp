#include "../lowering.h"

namespace gapcam::cuda {

namespace {

std::string one() {
  const float value = 1.0f;
  return {reinterpret_cast<const char *>(&value), sizeof value};
}

}  // namespace

void lower(Lowering &l, const Operation &o, const OutputGradient &) {
  const ValueId made = o.outputs[0];
  const bool map = l.shape(made).size() == 4;
  // A tensor of the device is brought into the form of a map here; a map of the program is one.
  const View given = o.inputs[0] ? l.read(o.inputs[0]) : l.constant(sizeof(float), one);
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
