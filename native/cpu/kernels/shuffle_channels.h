// The order of channels. Part of kernels.cpp.
#pragma once

#include "blocks.h"

namespace gapcam::cpu {
namespace {

// Channel i * groups + g of y is channel g * (channels / groups) + i of x.
void shuffle_channels(const MapShape &s, int64_t groups, const float *x, float *y) {
  const int64_t block = s.block, pixels = s.pixels(), each = s.channels / groups;
#pragma omp parallel for collapse(2) schedule(static) if (s.elements() >= worth_threads)
  for (int64_t n = 0; n < s.batch; n++) {
    for (int64_t b = 0; b < s.blocks(); b++) {
      float *out = y + (n * s.blocks() + b) * pixels * block;
      for (int64_t l = 0; l < block; l++) {
        const int64_t c = b * block + l;
        if (c >= s.channels) {
          for (int64_t p = 0; p < pixels; p++) out[p * block + l] = 0.0f;
          continue;
        }
        const int64_t from = c % groups * each + c / groups;
        const float *in = x + (n * s.blocks() + from / block) * pixels * block + from % block;
        for (int64_t p = 0; p < pixels; p++) out[p * block + l] = in[p * block];
      }
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu
