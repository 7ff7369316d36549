#include "../lowering.h"

namespace gapcam::cuda {

namespace {

// Whether an operand lies as the device's tensors do: a parameter's gradient.
bool is_plain(const Lowering &l, const Operand &operand) {
  return l.shape(operand.value).size() != 4 || !l.is_map(operand.value);
}

}  // namespace

void lower(Lowering &l, const Operation &o, const Binary &binary) {
  const ValueId made = o.outputs[0];
  const bool sums = binary.kind == GAPCAM_ADD, divides = binary.kind == GAPCAM_DIVIDE;
  if (is_plain(l, o.inputs[0]) && is_plain(l, o.inputs[1]) &&
      (l.shape(made).size() != 4 || o.phase == GAPCAM_BACKWARD)) {
    const View a = l.read(o.inputs[0]), b = l.read(o.inputs[1]);
    l.begin(o);
    const View sum = l.write_plain(made);
    const int64_t count = element_count(l.shape(made));
    l.run([=, address = l.addresses()](const Gpu &gpu) {
      const Kernels &k = gpu.kernels();
      const auto &kernel = sums      ? k.add_elements
                           : divides ? k.divide_elements
                                     : k.multiply_elements;
      gpu.launch_over(kernel, count, address(a), address(b), address(sum), count);
    });
    return;
  }
  const View a = l.read_map(o.inputs[0]), b = l.read_map(o.inputs[1]);
  l.begin(o);
  const View output = l.write_over(made, o.inputs[0]);
  const int64_t count = l.groups(made);
  if (l.shape(o.inputs[1].value) != l.shape(made)) {
    l.run([=, pixels = l.pixels(made), channel_groups = l.stored_channels(made) / l.lanes(),
           address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
      const Kernels &k = gpu.kernels();
      gpu.launch_over(bf16 ? k.multiply_gate_bf16 : k.multiply_gate_f32, count, address(a),
                      address(b), address(output), count, pixels, channel_groups);
    });
    return;
  }
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto &wide = sums ? k.add_f32 : divides ? k.divide_f32 : k.multiply_f32;
    const auto &narrow = sums ? k.add_bf16 : divides ? k.divide_bf16 : k.multiply_bf16;
    const auto &kernel = bf16 ? narrow : wide;
    gpu.launch_over(kernel, count, address(a), address(b), address(output), count);
  });
}

void lower(Lowering &l, const Operation &o, const GateGradient &) {
  const ValueId map = o.inputs[1].value;
  const int64_t batch = l.shape(map)[0], pixels = l.pixels(map),
                channel_groups = l.stored_channels(map) / l.lanes();
  const SumShape sum = l.sum_shape(pixels, l.stored_channels(map), 1);
  const View d_output = l.read_map(o.inputs[0]), other = l.read_map(o.inputs[1]);
  l.begin(o);
  const View d_gate = l.write(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    gpu.launch(bf16 ? k.gate_gradient_bf16 : k.gate_gradient_f32, sum.blocks, batch,
               address(d_output), address(other), address(d_gate), pixels, channel_groups,
               sum.columns);
  });
}

}  // namespace gapcam::cuda
