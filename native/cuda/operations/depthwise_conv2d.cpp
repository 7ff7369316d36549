#include "direct_conv2d.h"

namespace gapcam::cuda {

namespace {

constexpr const char *algorithm = "own kernel";

int64_t channels_of(const Lowering &l, const Operation &convolution) {
  return l.shape(convolution.outputs[0])[1];
}

}  // namespace

void lower_own(Lowering &l, const Operation &o, const Conv2d &conv2d, const GraphRequest &request) {
  const Lowering::Weight weight = prepare_plain_weight(l, o);
  const View input = l.read_map(o.inputs[0]),
             added = l.read_map(conv2d.adds ? o.inputs.back() : Operand{});
  Step &step = l.begin(o);
  step.algorithm = algorithm;
  step.flops = flops_of(l, o);
  const View output = l.write(o.outputs[0]);
  l.run([=, kernels = Depthwise(request, channels_of(l, o)),
         address = l.addresses()](const Gpu &gpu) {
    kernels.forward(gpu, address(input), address(weight.weight), address(weight.bias),
                    address(added), address(output));
  });
}

void lower_own(Lowering &l, const Operation &o, const Conv2dBackwardData &conv2d,
               const GraphRequest &request) {
  const Operation &forward = *l.fused().maker(conv2d.output);
  const View weight = prepare_plain_weight(l, forward).weight;
  const View gradient = l.read_map(o.inputs[0]), made = l.read_map(o.inputs[4]),
             added = l.read_map(conv2d.adds ? o.inputs.back() : Operand{});
  Step &step = l.begin(o, Conv2dBackwardData::name, conv2d.output);
  step.algorithm = algorithm;
  step.flops = flops_of(l, forward);
  const View d_input = l.write(o.outputs[0]);
  l.run([=, kernels = Depthwise(request, channels_of(l, forward)),
         address = l.addresses()](const Gpu &gpu) {
    kernels.backward_data(gpu, address(gradient), address(weight), address(added), address(made),
                          address(d_input));
  });
}

void lower_own(Lowering &l, const Operation &o, const Conv2dBackwardFilter &conv2d,
               const GraphRequest &request) {
  const Operation &forward = *l.fused().maker(conv2d.output);
  const Depthwise kernels(request, channels_of(l, forward));
  const View gradient = l.read_map(o.inputs[0]), input = l.read_map(o.inputs[1]);
  Step &step = l.begin(o, Conv2dBackwardFilter::name, conv2d.output);
  step.algorithm = algorithm;
  step.flops = flops_of(l, forward);
  const View partial = l.temporary(kernels.partial_bytes()), d_weight = l.write_plain(o.outputs[0]);
  l.run(
      [=, address = l.addresses()](const Gpu &gpu) {
        kernels.backward_filter(gpu, address(input), address(gradient), address(partial),
                                address(d_weight));
      },
      2);
}

}  // namespace gapcam::cuda
