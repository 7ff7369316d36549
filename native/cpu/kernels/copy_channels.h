// Channels of one map into another.
#pragma once

#include "blocks.h"

namespace gapcam::cpu {
namespace {

void copy_channels(const MapShape &from, int64_t first_from, const MapShape &to, int64_t first_to,
                   int64_t count, const float *x, float *y) {
  const int64_t a = from.block, b = to.block, pixels = to.pixels();
  // Whole blocks lie one after the other in both.
  const bool aligned = a == b && first_from % a == 0 && first_to % a == 0;
  const int64_t whole = aligned ? count / a : 0;
  const int64_t end = first_to + count == to.channels ? to.blocks() * b - first_to : count;
#pragma omp parallel for collapse(2) \
    schedule(static) if (to.batch * count * pixels >= worth_threads)
  for (int64_t n = 0; n < to.batch; n++) {
    for (int64_t block = 0; block < whole; block++) {
      const float *in = x + (n * from.blocks() + first_from / a + block) * pixels * a;
      float *out = y + (n * to.blocks() + first_to / a + block) * pixels * a;
#pragma omp simd
      for (int64_t i = 0; i < pixels * a; i++) out[i] = in[i];
    }
  }
  const int64_t rest = end - whole * a;
#pragma omp parallel for collapse(2) schedule(static) if (to.batch * rest * pixels >= worth_threads)
  for (int64_t n = 0; n < to.batch; n++) {
    for (int64_t i = 0; i < rest; i++) {
      const int64_t c = whole * a + i, source = first_from + c, target = first_to + c;
      float *out = y + (n * to.blocks() + target / b) * pixels * b + target % b;
      if (c >= count) {
        for (int64_t p = 0; p < pixels; p++) out[p * b] = 0.0f;
        continue;
      }
      const float *in = x + (n * from.blocks() + source / a) * pixels * a + source % a;
      for (int64_t p = 0; p < pixels; p++) out[p * b] = in[p * a];
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu
