// Weights to the transformed domain: the 9 taps of each kernel become 36 points.
#pragma once

#include "tiles.h"

namespace gapcam::cpu::winograd {
namespace {

// The taps of one source channel and a vector of destination channels, [tap][channel]. Only the
// first `count` channels are there.
template <class L>
GAPCAM_ALWAYS_INLINE void read_taps(const float *from, int64_t step, int64_t count, float *taps) {
  constexpr int64_t width = L::width;
  if (count < width) {
    for (int64_t i = 0; i < 9 * width; i++) taps[i] = 0.0f;
    for (int64_t c = 0; c < count; c++) {
      for (int64_t i = 0; i < 9; i++) taps[i * width + c] = from[c * step + i];
    }
    return;
  }
  for (int64_t c = 0; c < width; c += 8) transpose_eight(from + c * step, step, taps + c, width);
  for (int64_t c = 0; c < width; c++) taps[8 * width + c] = from[c * step + 8];
}

// To 36 points, point p at out + p * out_step. Reversed: the kernel rotated by half a turn.
template <class L>
GAPCAM_ALWAYS_INLINE void transform_taps(const float *taps, bool reversed, float *out,
                                         int64_t out_step) {
  using Vector = typename L::Vector;
  Vector half[6][3];
#pragma GCC unroll 3
  for (int j = 0; j < 3; j++) {
    Vector column[3], made[6];
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) {
      const int tap = i * 3 + j;
      column[i] = L::load(taps + (reversed ? 8 - tap : tap) * L::width);
    }
    weight_transform(column, made);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) half[i][j] = made[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) {
    Vector row[6];
    weight_transform(half[i], row);
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) L::store(out + (i * 6 + j) * out_step, row[j]);
  }
}

// From OIHW to [panel][point][source channel][vector][destination channel].
template <class L, int Vectors>
void transform_weight(const Plan &plan, const float *plain, float *transformed) {
  constexpr int64_t width = L::width;
  const int64_t sources = plan.source.channels, padded = plan.source.blocks * width;
  const int64_t destinations = plan.destination.channels;
  const bool backward = plan.request.direction == Direction::backward_data;
  // Weight (destination d, source s, tap) of backward data is that of (s, d), rotated by half a
  // turn.
  const int64_t destination_step = backward ? 9 : sources * 9;
  const int64_t source_step = backward ? destinations * 9 : 9;
#pragma omp parallel num_threads(plan.threads)
  {
    alignas(64) float taps[9 * width], made[points * Vectors * width];
#pragma omp for schedule(static) collapse(2)
    for (int64_t panel = 0; panel < plan.panels; panel++) {
      for (int64_t s = 0; s < padded; s++) {
        const int64_t first = panel * Vectors;
        const int64_t vectors = least(Vectors, plan.destination.blocks - first);
        const int64_t line = vectors * width;
        for (int64_t n = 0; n < vectors; n++) {
          const int64_t d = (first + n) * width;
          read_taps<L>(plain + d * destination_step + s * source_step, destination_step,
                       s < sources ? least(width, destinations - d) : 0, taps);
          transform_taps<L>(taps, backward, made + n * width, line);
        }
        float *out = transformed + first * points * padded * width + s * line;
        for (int64_t p = 0; p < points; p++, out += padded * line) {
          for (int64_t c = 0; c < line; c += width) {
            const typename L::Vector v = L::load(made + p * line + c);
            if (plan.weight_streamed) {
              stream<L>(out + c, v);
            } else {
              L::store(out + c, v);
            }
          }
        }
      }
    }
    if (plan.weight_streamed) stream_fence();
  }
}

}  // namespace
}  // namespace gapcam::cpu::winograd
