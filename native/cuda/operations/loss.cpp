#include "../lowering.h"
#include "elementwise.h"

namespace gapcam::cuda {

namespace {

// Operands `first` on are logits, labels, targets and weights.
struct Rows {
  View logits, labels, targets, weights;
  LossShape shape;

  Rows(Lowering &l, const Operation &o, size_t first, const LossAttributes &loss)
      : logits(l.read(o.inputs[first])),
        labels(l.read(o.inputs[first + 1])),
        targets(l.read(o.inputs[first + 2])),
        weights(l.read(o.inputs[first + 3])) {
    const Shape &s = l.shape(o.inputs[first].value);
    shape = {static_cast<int>(s[0]), static_cast<int>(s[1]),
             loss.kind == GAPCAM_BINARY_CROSS_ENTROPY, loss.label_smoothing};
  }

  template <class Address>
  LossOperands at(const Address &address) const {
    return {reinterpret_cast<const float *>(address(logits)),
            reinterpret_cast<const int *>(address(labels)),
            reinterpret_cast<const float *>(address(targets)),
            reinterpret_cast<const float *>(address(weights))};
  }
};

}  // namespace

void lower(Lowering &l, const Operation &o, const Loss &attributes) {
  const Rows rows(l, o, 0, attributes);
  const View metrics = l.read(o.inputs[4]);
  l.begin(o);
  const View loss = l.write(o.outputs[0]), divisor = l.write(o.outputs[1]);
  const View parts = l.temporary(static_cast<size_t>(rows.shape.batch) * sizeof(LossPart));
  l.changes(GAPCAM_FORWARD, l.storage(o.inputs[4]));
  l.run(
      [=, address = l.addresses()](const Gpu &gpu) {
        gpu.launch(gpu.kernels().loss_rows, rows.shape.batch, 1, rows.at(address), address(parts),
                   rows.shape);
        gpu.launch(gpu.kernels().loss, 1, 1, address(parts), address(loss), address(divisor),
                   address(metrics), rows.shape);
      },
      2);
}

void lower(Lowering &l, const Operation &o, const LossBackward &attributes) {
  const View d_loss = l.read(o.inputs[0]), divisor = l.read(o.inputs[5]);
  const Rows rows(l, o, 1, attributes);
  l.begin(o);
  const View d_logits = l.write(o.outputs[0]);
  l.run([=, address = l.addresses()](const Gpu &gpu) {
    gpu.launch(gpu.kernels().loss_backward, rows.shape.batch, 1, rows.at(address), address(divisor),
               address(d_loss), address(d_logits), rows.shape);
  });
}

}  // namespace gapcam::cuda
