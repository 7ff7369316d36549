// Products of maps, and of maps and gates [N, C, 1, 1]. Part of kernels.cpp.
#pragma once

#include "blocks.h"

namespace gapcam::cpu {
namespace {

void multiply(const float *a, const float *b, float *y, int64_t count) {
#pragma omp parallel for simd schedule(static) if (count >= worth_threads)
  for (int64_t i = 0; i < count; i++) y[i] = a[i] * b[i];
}

void divide(const float *a, const float *b, float *y, int64_t count) {
#pragma omp parallel for simd schedule(static) if (count >= worth_threads)
  for (int64_t i = 0; i < count; i++) y[i] = quotient(a[i], b[i]);
}

void multiply_gate(const MapShape &s, const float *x, const float *gate, float *y) {
  with_block(s.block, [&](auto fixed) {
    const int64_t block = fixed.value ? fixed.value : s.block;
#pragma omp parallel for schedule(static) if (s.elements() >= worth_threads)
    for (int64_t plane = 0; plane < s.batch * s.blocks(); plane++) {
      const float *factor = gate + plane * block, *in = x + plane * s.pixels() * block;
      float *out = y + plane * s.pixels() * block;
      for (int64_t p = 0; p < s.pixels(); p++) {
        for (int64_t c = 0; c < block; c++) out[p * block + c] = in[p * block + c] * factor[c];
      }
    }
  });
}

// Rows in f32, planes in f64.
void gate_gradient(const MapShape &s, const float *d_y, const float *x, float *d_gate) {
  with_block(s.block, [&](auto fixed) {
    const int64_t block = fixed.value ? fixed.value : s.block;
#pragma omp parallel for schedule(static) if (s.elements() >= worth_threads)
    for (int64_t plane = 0; plane < s.batch * s.blocks(); plane++) {
      for (int64_t c = 0; c < block; c += fixed.value ? fixed.value : lanes_max) {
        const int64_t lanes = fixed.value ? fixed.value : min(lanes_max, block - c);
        double sum[lanes_max] = {};
        for (int64_t i = 0; i < s.height; i++) {
          const int64_t row = (plane * s.height + i) * s.width * block + c;
          float part[lanes_max] = {};
          for (int64_t j = 0; j < s.width; j++) {
            for (int64_t l = 0; l < lanes; l++) {
              part[l] += d_y[row + j * block + l] * x[row + j * block + l];
            }
          }
          for (int64_t l = 0; l < lanes; l++) sum[l] += part[l];
        }
        for (int64_t l = 0; l < lanes; l++) {
          d_gate[plane * block + c + l] = static_cast<float>(sum[l]);
        }
      }
    }
  });
}

}  // namespace
}  // namespace gapcam::cpu
