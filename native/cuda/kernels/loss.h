// Losses. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"

namespace gapcam::cuda {

GAPCAM_DEVICE LossRow loss_row(const LossOperands &given, const LossShape &s, int64_t n) {
  const int64_t start = n * s.classes;
  return {given.logits + start,
          s.classes,
          given.labels ? given.labels[n] : -1,
          given.targets ? given.targets + start : nullptr,
          given.weights,
          s.label_smoothing};
}

// One block. metrics may be null; see gapcam_program_loss.
GAPCAM_KERNEL loss(LossOperands given, float *value, float *divisor, float *metrics, LossShape s) {
  GAPCAM_SHARED LossPart parts[block_threads];
  const int t = (int)threadIdx.x;
  LossPart all = {0.0, 0.0, 0, 0, 0};
  for (int n = t; n < s.batch; n += block_threads) {
    const LossRow row = loss_row(given, s, n);
    const LossPart part = s.binary ? binary_cross_entropy_part(row) : cross_entropy_part(row);
    add_loss_part(&all, part);
  }
  parts[t] = all;
  GAPCAM_SYNCHRONISE();
  if (t != 0) return;
  for (int i = 1; i < block_threads; i++) add_loss_part(&all, parts[i]);
  FloatBits nan;
  nan.bits = 0x7fc00000u;
  // Without anything that counts, 0.
  float mean = (float)(all.sum / (all.divisor != 0.0 ? all.divisor : 1.0));
  if (all.invalid) mean = nan.value;
  *value = mean;
  if (divisor) *divisor = (float)all.divisor;
  if (metrics) count_loss(metrics, mean, all.correct, all.counted);
}

// One thread a row.
GAPCAM_KERNEL loss_backward(LossOperands given, const float *divisor, const float *d_loss,
                            float *d_logits, LossShape s) {
  const int64_t n = thread_index();
  if (n >= s.batch) return;
  const double by = (double)*divisor, scale = by != 0.0 ? (double)*d_loss / by : 0.0;
  const LossRow row = loss_row(given, s, n);
  float *gradient = d_logits + n * s.classes;
  if (s.binary) {
    binary_cross_entropy_gradient(row, scale, gradient);
  } else {
    cross_entropy_gradient(row, scale, gradient);
  }
}

}  // namespace gapcam::cuda
