// Updates of parameters, one launch over the pieces of them all. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "layout.h"
#include "platform.h"

namespace gapcam::cuda {

// In registers: what a thread writes could otherwise change them.
template <int Count>
struct UpdateSettings {
  float value[Count];
  float factor;  // null: none
  GAPCAM_DEVICE UpdateSettings(const float *settings, const float *given) {
    for (int i = 0; i < Count; i++) value[i] = settings[i];
    factor = given ? *given : 1.0f;
  }
};

GAPCAM_KERNEL adam(const UpdateChunk *chunks, const float *factor, const float *settings) {
  const UpdateChunk chunk = chunks[blockIdx.x];
  const UpdateSettings<8> own(settings, factor);
  for (int64_t i = threadIdx.x; i < chunk.count; i += blockDim.x) {
    adam_update(chunk.parameter + i, chunk.first + i, chunk.second + i,
                own.factor * chunk.gradient[i], own.value);
  }
}

GAPCAM_KERNEL sgd(const UpdateChunk *chunks, const float *factor, const float *settings) {
  const UpdateChunk chunk = chunks[blockIdx.x];
  const UpdateSettings<8> own(settings, factor);
  for (int64_t i = threadIdx.x; i < chunk.count; i += blockDim.x) {
    sgd_update(chunk.parameter + i, chunk.first + i, own.factor * chunk.gradient[i], own.value);
  }
}

GAPCAM_KERNEL blend(const UpdateChunk *chunks, const float *factor, const float *settings) {
  const UpdateChunk chunk = chunks[blockIdx.x];
  const UpdateSettings<2> own(settings, factor);
  for (int64_t i = threadIdx.x; i < chunk.count; i += blockDim.x) {
    blend_update(chunk.parameter + i, own.factor * chunk.gradient[i], own.value);
  }
}

// What each thread of a block has, in the threads' order, for thread 0.
GAPCAM_DEVICE double sum_block(double own) {
  GAPCAM_SHARED double shared[block_threads];
  shared[threadIdx.x] = own;
  GAPCAM_SYNCHRONISE();
  double sum = 0.0;
  for (int i = 0; threadIdx.x == 0 && i < block_threads; i++) sum += shared[i];
  return sum;
}

// Of the gradients: one sum for each piece.
GAPCAM_KERNEL sum_squares(const UpdateChunk *chunks, double *sums) {
  const UpdateChunk chunk = chunks[blockIdx.x];
  double own = 0.0;
  for (int64_t i = threadIdx.x; i < chunk.count; i += blockDim.x) {
    own += (double)chunk.gradient[i] * (double)chunk.gradient[i];
  }
  const double sum = sum_block(own);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// One block.
GAPCAM_KERNEL finish_norm(const double *sums, float *norm, float *factor, int64_t count,
                          float max_norm) {
  double own = 0.0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) own += sums[i];
  const double sum = sum_block(own);
  if (threadIdx.x != 0) return;
  *norm = (float)sqrt(sum);
  *factor = clip_factor(*norm, max_norm);
}

}  // namespace gapcam::cuda
