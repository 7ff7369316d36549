// Planes between two matrices. Part of kernels.cpp.
#pragma once

#include "blocks.h"

namespace gapcam::cpu {
namespace {

void resample(const ResampleShape &s, const float *x, const float *rows, const float *columns,
              float *y) {
  const bool threads = s.planes * s.output_height * s.output_width >= worth_threads;
#pragma omp parallel for collapse(2) schedule(static) if (threads)
  for (int64_t plane = 0; plane < s.planes; plane++) {
    for (int64_t row = 0; row < s.output_height; row++) {
      const float *in = x + plane * s.height * s.width, *factors = rows + row * s.height;
      float *out = y + (plane * s.output_height + row) * s.output_width;
      for (int64_t j = 0; j < s.output_width; j++) out[j] = 0.0f;
      for (int64_t i = 0; i < s.width; i++) {
        float value = 0.0f;
        for (int64_t k = 0; k < s.height; k++) value += factors[k] * in[k * s.width + i];
        const float *column = columns + i * s.output_width;
        for (int64_t j = 0; j < s.output_width; j++) out[j] += value * column[j];
      }
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu
