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

// A block for a row.
struct BlockTeam {
  GAPCAM_DEVICE int first() const { return (int)threadIdx.x; }
  GAPCAM_DEVICE int step() const { return block_threads; }
  GAPCAM_DEVICE double sum(double own) const {
    GAPCAM_SHARED double shared[block_threads];
    shared[threadIdx.x] = own;
    for (int half = block_threads / 2; half > 0; half /= 2) {
      GAPCAM_SYNCHRONISE();
      if ((int)threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    }
    GAPCAM_SYNCHRONISE();
    const double all = shared[0];
    GAPCAM_SYNCHRONISE();
    return all;
  }
  GAPCAM_DEVICE int first_maximum(const float *row, int own) const {
    GAPCAM_SHARED int shared[block_threads];
    shared[threadIdx.x] = own;
    for (int half = block_threads / 2; half > 0; half /= 2) {
      GAPCAM_SYNCHRONISE();
      if ((int)threadIdx.x >= half) continue;
      const int a = shared[threadIdx.x], b = shared[threadIdx.x + half];
      if (row[b] > row[a] || (row[b] == row[a] && b < a)) shared[threadIdx.x] = b;
    }
    GAPCAM_SYNCHRONISE();
    const int best = shared[0];
    GAPCAM_SYNCHRONISE();
    return best;
  }
};

GAPCAM_KERNEL loss_rows(LossOperands given, LossPart *parts, LossShape s) {
  const int64_t n = blockIdx.x;
  const LossPart part = loss_part(loss_row(given, s, n), s.binary, BlockTeam{});
  if (threadIdx.x == 0) parts[n] = part;
}

// One block. metrics may be null; see gapcam_program_loss.
GAPCAM_KERNEL loss(const LossPart *rows, float *value, float *divisor, float *metrics,
                   LossShape s) {
  GAPCAM_SHARED LossPart parts[block_threads];
  const int t = (int)threadIdx.x;
  LossPart all = {0.0, 0.0, 0, 0, 0};
  for (int n = t; n < s.batch; n += block_threads) add_loss_part(&all, rows[n]);
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

// A block for a row.
GAPCAM_KERNEL loss_backward(LossOperands given, const float *divisor, const float *d_loss,
                            float *d_logits, LossShape s) {
  const int64_t n = blockIdx.x;
  const double by = (double)*divisor, scale = by != 0.0 ? (double)*d_loss / by : 0.0;
  loss_gradient(loss_row(given, s, n), s.binary, scale, d_logits + n * s.classes, BlockTeam{});
}

}  // namespace gapcam::cuda
