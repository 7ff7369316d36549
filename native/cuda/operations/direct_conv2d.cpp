#include "direct_conv2d.h"

namespace gapcam::cuda {

namespace {

constexpr const char *algorithm = "direct";

DirectShape direct_shape(const Lowering &l, const Operation &convolution) {
  const Conv2d &conv2d = *convolution.as<Conv2d>();
  const ConvolutionWindow &window = conv2d.window;
  const ValueId input = convolution.inputs[0].value, output = convolution.outputs[0];
  const Shape &in = l.shape(input), &out = l.shape(output);
  DirectShape s;
  s.batch = static_cast<int>(in[0]);
  s.inputs = static_cast<int>(in[1]);
  s.height = static_cast<int>(in[2]);
  s.width = static_cast<int>(in[3]);
  s.outputs = static_cast<int>(out[1]);
  s.output_height = static_cast<int>(out[2]);
  s.output_width = static_cast<int>(out[3]);
  s.stored_inputs = static_cast<int>(l.stored_channels(input));
  s.stored_outputs = static_cast<int>(l.stored_channels(output));
  s.group_inputs = s.inputs / conv2d.groups;
  s.group_outputs = s.outputs / conv2d.groups;
  s.kernel_height = window.kernel_height;
  s.kernel_width = window.kernel_width;
  s.stride_height = window.stride_height;
  s.stride_width = window.stride_width;
  s.padding_height = window.padding_height;
  s.padding_width = window.padding_width;
  s.dilation_height = window.dilation_height;
  s.dilation_width = window.dilation_width;
  return s;
}

}  // namespace

Lowering::Weight prepare_plain_weight(Lowering &l, const Operation &o) {
  CudaStorage *weight = l.storage(o.inputs[1]);
  Lowering::Weight prepared{{weight}, {l.storage(o.inputs[2])}};
  if (!o.as<Conv2d>()->fold) return prepared;
  const Shape &s = l.shape(o.inputs[1].value);
  const Lowering::Weight folded = fold(l, o, s[0], s[0]);
  prepared.bias = folded.bias;
  prepared.weight = l.forever(static_cast<size_t>(element_count(s)) * sizeof(float));
  l.prepare_repack({{weight},
                    prepared.weight,
                    folded.weight,
                    s[0],
                    s[0],
                    s[2] * s[3],
                    s[1],
                    s[1],
                    false,
                    false});
  l.depends_on(weight);
  return prepared;
}

void lower_direct(Lowering &l, const Operation &o, const Conv2d &conv2d) {
  const Lowering::Weight weight = prepare_plain_weight(l, o);
  const View input = l.read_map(o.inputs[0]),
             added = l.read_map(conv2d.adds ? o.inputs.back() : Operand{});
  Step &step = l.begin(o);
  step.algorithm = algorithm;
  step.flops = flops_of(l, o);
  const View output = l.write(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16(), shape = direct_shape(l, o),
         count = l.groups(o.outputs[0]), act = conv2d.activation](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(input), address(weight.weight), address(weight.bias),
                      address(added), address(output), shape, act.kind, act.a, act.b);
    };
    bf16 ? run(gpu.kernels().direct_forward_bf16) : run(gpu.kernels().direct_forward_f32);
  });
}

void lower_direct(Lowering &l, const Operation &o, const Conv2dBackwardData &conv2d) {
  const Operation &forward = *l.fused().maker(conv2d.output);
  const View gradient = l.read_map(o.inputs[0]), made = l.read_map(o.inputs[4]),
             added = l.read_map(conv2d.adds ? o.inputs.back() : Operand{});
  Step &step = l.begin(o, Conv2dBackwardData::name, conv2d.output);
  step.algorithm = algorithm;
  step.flops = flops_of(l, forward);
  const View d_input = l.write(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16(), shape = direct_shape(l, forward),
         count = l.groups(o.outputs[0]), weight = prepare_plain_weight(l, forward).weight,
         slope = conv2d.input_activation.slope()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(gradient), address(weight), address(added),
                      address(made), address(d_input), shape, slope);
    };
    bf16 ? run(gpu.kernels().direct_backward_data_bf16)
         : run(gpu.kernels().direct_backward_data_f32);
  });
}

void lower_direct(Lowering &l, const Operation &o, const Conv2dBackwardFilter &conv2d) {
  const Operation &forward = *l.fused().maker(conv2d.output);
  const View gradient = l.read_map(o.inputs[0]), input = l.read_map(o.inputs[1]);
  Step &step = l.begin(o, Conv2dBackwardFilter::name, conv2d.output);
  step.algorithm = algorithm;
  step.flops = flops_of(l, forward);
  const View d_weight = l.write_plain(o.outputs[0]);
  l.run([=, address = l.addresses(), bf16 = l.bf16(), shape = direct_shape(l, forward),
         count = element_count(l.shape(o.outputs[0]))](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, count, 1, address(input), address(gradient), address(d_weight), shape);
    };
    bf16 ? run(gpu.kernels().direct_backward_filter_bf16)
         : run(gpu.kernels().direct_backward_filter_f32);
  });
}

}  // namespace gapcam::cuda
