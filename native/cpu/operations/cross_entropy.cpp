#include <cmath>

#include "../lowering.h"
#include "elementwise.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const CrossEntropy &attributes) {
  const int64_t batch = l.shape(o.inputs[0].value)[0];
  const int classes = static_cast<int>(l.shape(o.inputs[0].value)[1]);
  const View logits = l.read(o.inputs[0]), labels = l.read(o.inputs[1]),
             metrics = l.read(o.inputs[2]);
  CpuStorage *counting = l.storage(o.inputs[2]);
  l.begin(o);
  const View loss = l.write(o.outputs[0]);
  l.run([=, smoothing = attributes.label_smoothing, &m = l.memory()] {
    const int32_t *label = m.i32(labels);
    double sum = 0.0;
    int counted = 0, correct = 0;
    bool valid = true;
    for (int64_t n = 0; n < batch; n++) {
      if (label[n] == -1) continue;
      if (!label_counts(label[n], classes)) {
        valid = false;
        continue;
      }
      int best = 0;
      sum += cross_entropy_row(m.f32(logits) + n * classes, classes, label[n], smoothing, &best);
      counted++;
      correct += best == label[n];
    }
    const float mean = counted > 0 ? static_cast<float>(sum / counted) : 0.0f;
    const float value = valid ? mean : NAN;
    *m.f32(loss) = value;
    if (!counting) return;
    count_loss(m.f32(metrics), value, correct, counted);
    counting->changed();
  });
}

void lower(Lowering &l, const Operation &o, const CrossEntropyBackward &attributes) {
  const int64_t batch = l.shape(o.inputs[1].value)[0];
  const int classes = static_cast<int>(l.shape(o.inputs[1].value)[1]);
  const View d_loss = l.read(o.inputs[0]), logits = l.read(o.inputs[1]),
             labels = l.read(o.inputs[2]);
  l.begin(o);
  const View d_logits = l.write(o.outputs[0]);
  l.run([=, smoothing = attributes.label_smoothing, &m = l.memory()] {
    const int32_t *label = m.i32(labels);
    int64_t counted = 0;
    for (int64_t n = 0; n < batch; n++) counted += label_counts(label[n], classes);
    const double scale = counted > 0 ? static_cast<double>(*m.f32(d_loss)) / counted : 0.0;
    for (int64_t n = 0; n < batch; n++) {
      cross_entropy_row_gradient(m.f32(logits) + n * classes, classes, label[n], smoothing, scale,
                                 m.f32(d_logits) + n * classes);
    }
  });
}

}  // namespace gapcam::cpu
