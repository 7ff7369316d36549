// Updates of parameters, in pieces of them all. Part of kernels.cpp.
#pragma once

#include "../kernels.h"
#include "elementwise.h"

namespace gapcam::cpu {
namespace {

void adam(const UpdateChunk *chunks, int64_t count, float factor, const float *settings) {
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t c = 0; c < count; c++) {
    const UpdateChunk chunk = chunks[c];
    float s[8];
    for (int i = 0; i < 8; i++) s[i] = settings[i];
#pragma omp simd
    for (int64_t i = 0; i < chunk.count; i++) {
      adam_update(chunk.parameter + i, chunk.first + i, chunk.second + i,
                  factor * chunk.gradient[i], s);
    }
  }
}

void sgd(const UpdateChunk *chunks, int64_t count, float factor, const float *settings) {
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t c = 0; c < count; c++) {
    const UpdateChunk chunk = chunks[c];
    float s[8];
    for (int i = 0; i < 8; i++) s[i] = settings[i];
#pragma omp simd
    for (int64_t i = 0; i < chunk.count; i++) {
      sgd_update(chunk.parameter + i, chunk.first + i, factor * chunk.gradient[i], s);
    }
  }
}

void blend(const UpdateChunk *chunks, int64_t count, float factor, const float *settings) {
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t c = 0; c < count; c++) {
    const UpdateChunk chunk = chunks[c];
    const float s[2] = {settings[0], settings[1]};
#pragma omp simd
    for (int64_t i = 0; i < chunk.count; i++) {
      blend_update(chunk.parameter + i, factor * chunk.gradient[i], s);
    }
  }
}

// A sum of its own for each piece: who adds them does so in one order, whatever the threads.
void sum_squares(const UpdateChunk *chunks, int64_t count, double *sums) {
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t c = 0; c < count; c++) {
    const UpdateChunk chunk = chunks[c];
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < chunk.count; i++) {
      sum += static_cast<double>(chunk.gradient[i]) * static_cast<double>(chunk.gradient[i]);
    }
    sums[c] = sum;
  }
}

}  // namespace
}  // namespace gapcam::cpu
