#include "../lowering.h"

namespace gapcam::cuda {

namespace {

// Whether an operand lies as the device's tensors do: a parameter's gradient.
bool is_plain(const Lowering &l, const Operand &operand) {
  return l.shape(operand.value).size() != 4 || !l.is_map(operand.value);
}

}  // namespace

void lower(Lowering &l, const Operation &o, const Binary &) {
  const ValueId made = o.outputs[0];
  if (is_plain(l, o.inputs[0]) && is_plain(l, o.inputs[1]) &&
      (l.shape(made).size() != 4 || o.phase == GAPCAM_BACKWARD)) {
    const View a = l.read(o.inputs[0]), b = l.read(o.inputs[1]);
    l.begin(o);
    const View sum = l.write_plain(made);
    const int64_t count = element_count(l.shape(made));
    l.run([=, address = l.addresses()](const Gpu &gpu) {
      gpu.launch_over(gpu.kernels().add_elements, count, address(a), address(b), address(sum),
                      count);
    });
    return;
  }
  const View a = l.read_map(o.inputs[0]), b = l.read_map(o.inputs[1]);
  l.begin(o);
  const View sum = l.write_over(made, o.inputs[0]);
  const int64_t count = l.groups(made);
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(a), address(b), address(sum), count);
    };
    bf16 ? run(gpu.kernels().add_bf16) : run(gpu.kernels().add_f32);
  });
}

}  // namespace gapcam::cuda
