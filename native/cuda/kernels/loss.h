// Softmax cross-entropy. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"

namespace gapcam::cuda {

// One block. metrics may be null; see gapcam_program_cross_entropy.
GAPCAM_KERNEL cross_entropy(const float *logits, const int32_t *labels, float *loss, float *metrics,
                            LossShape s) {
  GAPCAM_SHARED double losses[block_threads];
  GAPCAM_SHARED int counts[block_threads], hits[block_threads], bad[block_threads];
  const int t = (int)threadIdx.x;
  double sum = 0.0;
  int count = 0, correct = 0, invalid = 0;
  for (int n = t; n < s.batch; n += block_threads) {
    const int label = labels[n];
    if (label == -1) continue;
    if (!label_counts(label, s.classes)) {
      invalid = 1;
      continue;
    }
    int best = 0;
    sum += cross_entropy_row(logits + (int64_t)n * s.classes, s.classes, label, s.label_smoothing,
                             &best);
    count++;
    correct += best == label;
  }
  losses[t] = sum;
  counts[t] = count;
  hits[t] = correct;
  bad[t] = invalid;
  GAPCAM_SYNCHRONISE();
  if (t != 0) return;
  for (int i = 1; i < block_threads; i++) {
    sum += losses[i];
    count += counts[i];
    correct += hits[i];
    invalid |= bad[i];
  }
  FloatBits nan;
  nan.bits = 0x7fc00000u;
  float value = count > 0 ? (float)(sum / count) : 0.0f;
  if (invalid) value = nan.value;
  *loss = value;
  if (metrics) count_loss(metrics, value, correct, count);
}

// One thread a row; each counts the labels for itself.
GAPCAM_KERNEL cross_entropy_backward(const float *logits, const int32_t *labels,
                                     const float *d_loss, float *d_logits, LossShape s) {
  const int n = (int)thread_index();
  if (n >= s.batch) return;
  int count = 0;
  for (int i = 0; i < s.batch; i++) count += label_counts(labels[i], s.classes);
  const double scale = count > 0 ? (double)*d_loss / count : 0.0;
  cross_entropy_row_gradient(logits + (int64_t)n * s.classes, s.classes, labels[n],
                             s.label_smoothing, scale, d_logits + (int64_t)n * s.classes);
}

}  // namespace gapcam::cuda
