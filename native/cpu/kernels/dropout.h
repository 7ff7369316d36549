// Dropout. Part of kernels.cpp.
#pragma once

#include "blocks.h"
#include "random.h"

namespace gapcam::cpu {
namespace {

void dropout(const MapShape &s, const DropoutShape &shape, const int32_t *settings, const float *x,
             float *y) {
  const int64_t block = s.block, pixels = s.pixels();
#pragma omp parallel for collapse(2) schedule(static) if (s.elements() >= worth_threads / 16)
  for (int64_t n = 0; n < s.batch; n++) {
    for (int64_t b = 0; b < s.blocks(); b++) {
      const int64_t start = (n * s.blocks() + b) * pixels * block;
      const int64_t image = dropout_image(settings, n);
      const float whole = dropout_factor(shape, settings, image);
      for (int64_t i = 0; i < pixels * block; i++) {
        const int64_t c = b * block + i % block;
        const int64_t element = (image * s.channels + c) * pixels + i / block;
        const float factor = shape.whole_images ? whole : dropout_factor(shape, settings, element);
        y[start + i] = x[start + i] * factor;
      }
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu
