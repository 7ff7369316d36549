#include "../lowering.h"

namespace gapcam::cuda {

namespace {

NormShape norm_shape(const Lowering &l, ValueId map, const Norm &attributes) {
  NormShape norm{};
  norm.positions = l.shape(map)[0] * l.pixels(map);
  norm.channels = static_cast<int>(l.shape(map)[1]);
  norm.stored_channels = static_cast<int>(l.stored_channels(map));
  norm.epsilon = attributes.epsilon;
  norm.momentum = attributes.momentum;
  norm.negative_slope = attributes.activation.slope();
  norm.training = l.training();
  return norm;
}

// Two numbers a channel.
size_t pair_bytes(const NormShape &norm) {
  return static_cast<size_t>(2 * norm.stored_channels) * sizeof(float);
}

}  // namespace

void lower(Lowering &l, const Operation &o, const BatchNorm2d &attributes) {
  const NormShape norm = norm_shape(l, o.inputs[0].value, attributes);
  const View input = l.read_map(o.inputs[0]), weight = l.read(o.inputs[1]),
             bias = l.read(o.inputs[2]), mean = l.read(o.inputs[3]), variance = l.read(o.inputs[4]);
  l.begin(o);
  const View output = l.write(o.outputs[0]), saved = l.write(o.outputs[1], pair_bytes(norm));
  const SumShape sum = l.sum_shape(norm.positions, norm.stored_channels, 1);
  const View partial = l.temporary(sum.partial_bytes);
  if (norm.training) {
    for (const size_t i : {3, 4}) l.changes(GAPCAM_FORWARD, l.storage(o.inputs[i]));
  }
  const int64_t count = l.groups(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto apply = [&](const auto &sum_channels, const auto &sum_deviations,
                           const auto &normalise) {
      if (norm.training) {
        gpu.launch(sum_channels, sum.blocks, sum.slices, address(input), address(partial),
                   norm.positions, norm.stored_channels, sum.columns);
        gpu.launch(k.norm_mean, sum.finish_blocks, 1, address(partial), address(saved), sum.slices,
                   norm);
        gpu.launch(sum_deviations, sum.blocks, sum.slices, address(input), address(saved),
                   address(partial), norm.positions, norm.stored_channels, sum.columns);
        gpu.launch(k.norm_deviation, sum.finish_blocks, 1, address(partial), address(saved),
                   address(mean), address(variance), sum.slices, norm);
      } else {
        gpu.launch_over(k.norm_running, norm.stored_channels, address(mean), address(variance),
                        address(saved), norm);
      }
      gpu.launch_over(normalise, count, address(input), address(output), address(weight),
                      address(bias), address(saved), norm);
    };
    if (bf16) {
      apply(k.sum_channels_bf16, k.sum_deviations_bf16, k.norm_bf16);
    } else {
      apply(k.sum_channels_f32, k.sum_deviations_f32, k.norm_f32);
    }
  });
}

void lower(Lowering &l, const Operation &o, const BatchNorm2dBackward &attributes) {
  const NormShape norm = norm_shape(l, o.inputs[1].value, attributes);
  const SumShape sum = l.sum_shape(norm.positions, norm.stored_channels, 2);
  const View d_output = l.read_map(o.inputs[0]), input = l.read_map(o.inputs[1]),
             weight = l.read(o.inputs[2]), bias = l.read(o.inputs[3]), saved = l.read(o.inputs[4]);
  l.begin(o);
  const View partial = l.temporary(sum.partial_bytes), sums = l.temporary(pair_bytes(norm));
  const View d_input = l.write_over(o.outputs[0], o.inputs[0]), d_weight = l.write(o.outputs[1]),
             d_bias = l.write(o.outputs[2]);
  const int64_t count = l.groups(o.inputs[1].value);
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto run = [&](const auto &sum_gradients, const auto &backward) {
      gpu.launch(sum_gradients, sum.blocks, sum.slices, address(input), address(d_output),
                 address(weight), address(bias), address(saved), address(partial), norm,
                 sum.columns);
      gpu.launch(k.norm_gradients, sum.finish_blocks, 1, address(partial), address(saved),
                 address(sums), address(d_weight), address(d_bias), sum.slices, norm);
      if (!d_input) return;
      gpu.launch_over(backward, count, address(input), address(d_output), address(d_input),
                      address(weight), address(bias), address(saved), address(sums), norm);
    };
    bf16 ? run(k.sum_norm_gradients_bf16, k.norm_backward_bf16)
         : run(k.sum_norm_gradients_f32, k.norm_backward_f32);
  });
}

}  // namespace gapcam::cuda
