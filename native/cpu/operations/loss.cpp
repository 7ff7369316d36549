#include <cmath>

#include "../lowering.h"
#include "elementwise.h"

namespace gapcam::cpu {

namespace {

// What rows are made of: operands `first` on are logits, labels, targets and weights.
struct Rows {
  View logits, labels, targets, weights;
  int64_t batch;
  int classes;
  float smoothing;

  Rows(Lowering &l, const Operation &o, size_t first, const LossAttributes &loss)
      : logits(l.read(o.inputs[first])),
        labels(l.read(o.inputs[first + 1])),
        targets(l.read(o.inputs[first + 2])),
        weights(l.read(o.inputs[first + 3])),
        batch(l.shape(o.inputs[first].value)[0]),
        classes(static_cast<int>(l.shape(o.inputs[first].value)[1])),
        smoothing(loss.label_smoothing) {}

  LossRow row(const ProgramMemory &m, int64_t n) const {
    return {m.f32(logits) + n * classes,
            classes,
            labels ? m.i32(labels)[n] : -1,
            targets ? m.f32(targets) + n * classes : nullptr,
            m.f32(weights),
            smoothing};
  }
};

// A row's only thread.
struct OneThread {
  static int first() { return 0; }
  static int step() { return 1; }
  static double sum(double own) { return own; }
  static int first_maximum(const float *, int own) { return own; }
};

}  // namespace

void lower(Lowering &l, const Operation &o, const Loss &attributes) {
  const Rows rows(l, o, 0, attributes);
  const View metrics = l.read(o.inputs[4]);
  CpuStorage *counting = l.storage(o.inputs[4]);
  l.begin(o);
  const View loss = l.write(o.outputs[0]), divisor = l.write(o.outputs[1]);
  const bool binary = attributes.kind == GAPCAM_BINARY_CROSS_ENTROPY;
  l.run([=, &m = l.memory()] {
    LossPart all = {0.0, 0.0, 0, 0, 0};
    for (int64_t n = 0; n < rows.batch; n++) {
      const LossRow row = rows.row(m, n);
      add_loss_part(&all, loss_part(row, binary, OneThread{}));
    }
    // Without anything that counts, 0.
    const double by = all.divisor != 0.0 ? all.divisor : 1.0;
    const auto mean = static_cast<float>(all.sum / by);
    const float value = all.invalid ? NAN : mean;
    *m.f32(loss) = value;
    if (divisor) *m.f32(divisor) = static_cast<float>(all.divisor);
    if (!counting) return;
    count_loss(m.f32(metrics), value, all.correct, all.counted);
    counting->changed();
  });
}

void lower(Lowering &l, const Operation &o, const LossBackward &attributes) {
  const View d_loss = l.read(o.inputs[0]), divisor = l.read(o.inputs[5]);
  const Rows rows(l, o, 1, attributes);
  l.begin(o);
  const View d_logits = l.write(o.outputs[0]);
  const bool binary = attributes.kind == GAPCAM_BINARY_CROSS_ENTROPY;
  l.run([=, &m = l.memory()] {
    const double by = static_cast<double>(*m.f32(divisor));
    const double scale = by != 0.0 ? static_cast<double>(*m.f32(d_loss)) / by : 0.0;
    for (int64_t n = 0; n < rows.batch; n++) {
      loss_gradient(rows.row(m, n), binary, scale, m.f32(d_logits) + n * rows.classes, OneThread{});
    }
  });
}

}  // namespace gapcam::cpu
