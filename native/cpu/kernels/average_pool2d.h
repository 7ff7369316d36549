// Averages over windows.
#pragma once

#include "pool.h"

namespace gapcam::cpu {
namespace {

// Calls body(window along height, along width, offset of the output, 1 / pixels) for each output
// pixel of a plane.
template <class Body>
void each_average(const PoolShape &s, int64_t block, bool count_include_pad, const Body &body) {
  for (int64_t oh = 0; oh < s.output_height; oh++) {
    const Window h(oh, s.stride_height, s.padding_height, s.kernel_height, s.input.height);
    const int rows = averaged_pixels(static_cast<int>(h.start), s.kernel_height, s.padding_bottom,
                                     static_cast<int>(s.input.height), count_include_pad);
    for (int64_t ow = 0; ow < s.output_width; ow++) {
      const Window w(ow, s.stride_width, s.padding_width, s.kernel_width, s.input.width);
      const int columns =
          averaged_pixels(static_cast<int>(w.start), s.kernel_width, s.padding_right,
                          static_cast<int>(s.input.width), count_include_pad);
      body(h, w, (oh * s.output_width + ow) * block,
           1.0f / static_cast<float>(static_cast<int64_t>(rows) * columns));
    }
  }
}

void average_pool2d(const PoolShape &s, bool count_include_pad, const float *x, float *y) {
  with_block(s.input.block, [&](auto fixed) {
    const int64_t block = fixed.value ? fixed.value : s.input.block;
    const int64_t planes = s.input.batch * s.input.blocks(), row = s.input.width * block;
#pragma omp parallel for schedule(static) if (s.input.elements() >= worth_threads)
    for (int64_t plane = 0; plane < planes; plane++) {
      const float *in = x + plane * s.input.height * row;
      float *out = y + plane * s.output_height * s.output_width * block;
      each_average(s, block, count_include_pad,
                   [&](const Window &h, const Window &w, int64_t at, float factor) {
                     for (int64_t c = 0; c < block; c += fixed.value ? fixed.value : lanes_max) {
                       const int64_t lanes = fixed.value ? fixed.value : min(lanes_max, block - c);
                       float sum[lanes_max] = {};
                       for (int64_t i = h.first; i < h.end; i++) {
                         for (int64_t j = w.first; j < w.end; j++) {
                           const float *pixel = in + i * row + j * block + c;
                           for (int64_t l = 0; l < lanes; l++) sum[l] += pixel[l];
                         }
                       }
                       for (int64_t l = 0; l < lanes; l++) out[at + c + l] = sum[l] * factor;
                     }
                   });
    }
  });
}

void average_pool2d_backward(const PoolShape &s, bool count_include_pad, const float *d_y,
                             float *d_x) {
  with_block(s.input.block, [&](auto fixed) {
    const int64_t block = fixed.value ? fixed.value : s.input.block;
    const int64_t planes = s.input.batch * s.input.blocks(), row = s.input.width * block;
#pragma omp parallel for schedule(static) if (s.input.elements() >= worth_threads)
    for (int64_t plane = 0; plane < planes; plane++) {
      float *in = d_x + plane * s.input.height * row;
      const float *out = d_y + plane * s.output_height * s.output_width * block;
      for (int64_t i = 0; i < s.input.height * row; i++) in[i] = 0.0f;
      each_average(s, block, count_include_pad,
                   [&](const Window &h, const Window &w, int64_t at, float factor) {
                     for (int64_t i = h.first; i < h.end; i++) {
                       for (int64_t j = w.first; j < w.end; j++) {
                         float *pixel = in + i * row + j * block;
                         for (int64_t l = 0; l < block; l++) pixel[l] += out[at + l] * factor;
                       }
                     }
                   });
    }
  });
}

}  // namespace
}  // namespace gapcam::cpu
