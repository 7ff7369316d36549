// What ranks need beside NCCL, which moves bytes: sums in their order, and batch normalisation with
// the statistics of all. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "norm.h"

namespace gapcam::cuda {

// Copies each piece's gradient to its parameter, multiplied.
GAPCAM_KERNEL copy_pieces(const UpdateChunk *chunks, float factor) {
  const UpdateChunk chunk = chunks[blockIdx.x];
  for (int64_t i = threadIdx.x; i < chunk.count; i += blockDim.x) {
    chunk.parameter[i] = factor * chunk.gradient[i];
  }
}

// Adds to the first of `ranks` lists of `count` numbers the others, in their order.
GAPCAM_KERNEL sum_ranks(float *lists, int64_t count, int ranks) {
  const int64_t i = thread_index();
  if (i >= count) return;
  float sum = lists[i];
  for (int rank = 1; rank < ranks; rank++) sum += lists[rank * count + i];
  lists[i] = sum;
}

// One thread each.
GAPCAM_KERNEL take_loss_part(float *own, const float *settings, float *part) {
  if (thread_index() == 0) take_loss(own, settings, part);
}
GAPCAM_KERNEL count_whole_batch(float *metrics, const float *parts, const float *own, float *share,
                                int ranks) {
  if (thread_index() != 0) return;
  *share = count_whole_loss(metrics, parts, ranks, own[loss_part_divisor]);
}

// moments: mean and sum of squared deviations, stored_channels each, and the number of positions.

GAPCAM_KERNEL norm_rank_statistics(const float *partial, double *moments, int slices, int columns,
                                   NormShape s) {
  double mean = 0.0;
  const double total = sum_slice_moments(partial, slices, columns, s, &mean);
  const int c = finish_channel();
  if (!finishes() || c >= s.stored_channels) return;
  moments[c] = mean;
  moments[s.stored_channels + c] = total;
  if (c == 0) moments[2 * s.stored_channels] = (double)s.positions;
}

// As the CPU merges ranks: Chan, Golub and LeVeque, "Algorithms for computing the sample variance",
// 1983.
GAPCAM_KERNEL norm_whole_batch(const double *all, float *saved, float *running_mean,
                               float *running_variance, int ranks, NormShape s) {
  const int c = (int)thread_index();
  if (c >= s.stored_channels) return;
  double count = 0.0, mean = 0.0, squares = 0.0;
  for (int rank = 0; rank < ranks; rank++, all += 2 * s.stored_channels + 1) {
    const double more = all[2 * s.stored_channels], part = more / (count + more);
    const double distance = all[c] - mean;
    mean += distance * part;
    squares += all[s.stored_channels + c] + distance * distance * count * part;
    count += more;
  }
  const bool filled = c < s.channels;
  saved[c] = filled ? (float)mean : 0.0f;
  saved[s.stored_channels + c] =
      filled ? (float)(1.0 / sqrt(squares / count + (double)s.epsilon)) : 0.0f;
  if (!filled) return;
  running_mean[c] += s.momentum * (saved[c] - running_mean[c]);
  running_variance[c] += s.momentum * ((float)(squares / (count - 1.0)) - running_variance[c]);
}

// totals: of gradients and of products, stored_channels each, and the number of positions. Those of
// parameters are this rank's, as all gradients of parameters are.
GAPCAM_KERNEL norm_rank_gradients(const float *partial, const float *saved, double *totals,
                                  float *d_weight, float *d_bias, int slices, NormShape s) {
  const double gradient =
      sum_slices(slices, s.stored_channels, SliceSum{partial, 2, 0, s.stored_channels});
  const double products =
      sum_slices(slices, s.stored_channels, SliceSum{partial, 2, 1, s.stored_channels});
  const int c = finish_channel();
  if (!finishes() || c >= s.stored_channels) return;
  totals[c] = gradient;
  totals[s.stored_channels + c] = products;
  if (c == 0) totals[2 * s.stored_channels] = (double)s.positions;
  if (c >= s.channels) return;
  if (d_bias) d_bias[c] = (float)gradient;
  if (d_weight) d_weight[c] = (float)(products * (double)saved[s.stored_channels + c]);
}

GAPCAM_KERNEL norm_whole_gradients(const double *all, const float *saved, float *sums, int ranks,
                                   NormShape s) {
  const int c = (int)thread_index();
  if (c >= s.stored_channels) return;
  double count = 0.0, gradient = 0.0, products = 0.0;
  for (int rank = 0; rank < ranks; rank++, all += 2 * s.stored_channels + 1) {
    gradient += all[c];
    products += all[s.stored_channels + c];
    count += all[2 * s.stored_channels];
  }
  const double inverse = (double)saved[s.stored_channels + c];
  sums[c] = (float)(gradient / count);
  sums[s.stored_channels + c] = (float)(products * inverse / count * inverse);
}

}  // namespace gapcam::cuda
