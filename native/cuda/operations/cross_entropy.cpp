#include "../lowering.h"

namespace gapcam::cuda {

namespace {

LossShape loss_shape(const Lowering &l, ValueId logits, float label_smoothing) {
  return {static_cast<int>(l.shape(logits)[0]), static_cast<int>(l.shape(logits)[1]),
          label_smoothing};
}

}  // namespace

void lower(Lowering &l, const Operation &o, const CrossEntropy &attributes) {
  const LossShape shape = loss_shape(l, o.inputs[0].value, attributes.label_smoothing);
  const View logits = l.read(o.inputs[0]), labels = l.read(o.inputs[1]),
             metrics = l.read(o.inputs[2]);
  l.begin(o);
  const View loss = l.write(o.outputs[0]);
  l.changes(GAPCAM_FORWARD, l.storage(o.inputs[2]));
  l.run([=, address = l.addresses()](const Gpu &gpu) {
    gpu.launch(gpu.kernels().cross_entropy, 1, 1, address(logits), address(labels), address(loss),
               address(metrics), shape);
  });
}

void lower(Lowering &l, const Operation &o, const CrossEntropyBackward &attributes) {
  const LossShape shape = loss_shape(l, o.inputs[1].value, attributes.label_smoothing);
  const View d_loss = l.read(o.inputs[0]), logits = l.read(o.inputs[1]),
             labels = l.read(o.inputs[2]);
  l.begin(o);
  const View d_logits = l.write(o.outputs[0]);
  l.run([=, address = l.addresses()](const Gpu &gpu) {
    gpu.launch_over(gpu.kernels().cross_entropy_backward, shape.batch, address(logits),
                    address(labels), address(d_loss), address(d_logits), shape);
  });
}

}  // namespace gapcam::cuda
