#include "../lowering.h"

namespace gapcam::cuda {

namespace {

// Groups of channels of a map, and channels; of anything else, one group that is all filled.
struct Filled {
  int channel_groups = 1, channels = 1 << 30;

  Filled(const Lowering &l, ValueId value) {
    if (l.shape(value).size() != 4) return;
    channel_groups = static_cast<int>(l.stored_channels(value) / l.lanes());
    channels = static_cast<int>(l.shape(value)[1]);
  }
};

// With slope 1 for none: a leaky ReLU is what networks are made of, and has kernels of its own.
bool is_leaky(const Activation &activation) {
  return activation.kind == GAPCAM_LEAKY_RELU || activation.is_identity();
}

}  // namespace

void lower(Lowering &l, const Operation &o, const Unary &unary) {
  const Activation act = unary.activation;
  const View input = l.read_map(o.inputs[0]);
  l.begin(o);
  const View output = l.write_over(o.outputs[0], o.inputs[0]);
  const int64_t count = l.groups(o.outputs[0]);
  const bool narrow = l.bf16() && l.is_map(o.outputs[0]);
  const Filled filled(l, o.outputs[0]);
  l.run([=, address = l.addresses()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto leaky = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(input), address(output), count, act.slope());
    };
    const auto other = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(input), address(output), count, filled.channel_groups,
                      filled.channels, act.kind, act.a, act.b);
    };
    if (is_leaky(act)) {
      narrow ? leaky(k.leaky_relu_bf16) : leaky(k.leaky_relu_f32);
    } else {
      narrow ? other(k.activation_bf16) : other(k.activation_f32);
    }
  });
}

void lower(Lowering &l, const Operation &o, const UnaryBackward &unary) {
  const Activation act = unary.activation;
  const View d_output = l.read_map(o.inputs[0]), known = l.read_map(o.inputs[1]);
  l.begin(o);
  const View d_input = l.write_over(o.outputs[0], o.inputs[0]);
  const int64_t count = l.groups(o.outputs[0]);
  const bool narrow = l.bf16() && l.is_map(o.outputs[0]);
  l.run([=, address = l.addresses()](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto leaky = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(known), address(d_output), address(d_input), count,
                      act.slope());
    };
    const auto other = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(known), address(d_output), address(d_input), count,
                      act.kind, act.a, act.b);
    };
    if (is_leaky(act)) {
      narrow ? leaky(k.leaky_relu_backward_bf16) : leaky(k.leaky_relu_backward_f32);
    } else {
      narrow ? other(k.activation_backward_bf16) : other(k.activation_backward_f32);
    }
  });
}

}  // namespace gapcam::cuda
