// Layouts and images. Part of kernels.cpp, which says what may be used here.
#pragma once

#include "blocks.h"
#include "elementwise.h"

namespace gapcam::cpu {
namespace {

void reorder(const MapShape &from, int64_t block, const float *x, float *y) {
  const int64_t a = from.block, b = block;
  const int64_t from_blocks = from.blocks(), to_blocks = (from.channels + b - 1) / b;
  const int64_t pixels = from.pixels();
#pragma omp parallel for collapse(2) schedule(static) if (from.elements() >= worth_threads)
  for (int64_t n = 0; n < from.batch; n++) {
    for (int64_t to = 0; to < to_blocks; to++) {
      for (int64_t l = 0; l < b; l++) {
        const int64_t c = to * b + l;
        float *out = y + (n * to_blocks + to) * pixels * b + l;
        if (c >= from.channels) {
          for (int64_t p = 0; p < pixels; p++) out[p * b] = 0.0f;
          continue;
        }
        const float *in = x + (n * from_blocks + c / a) * pixels * a + c % a;
        for (int64_t p = 0; p < pixels; p++) out[p * b] = in[p * a];
      }
    }
  }
}

// Rows of `in` to rows of table.output pixels.
template <int64_t Channels>
void resize_rows(const ResizeTable &table, int64_t rows, int64_t channels, const uint8_t *in,
                 uint8_t *out) {
  if (Channels) channels = Channels;
  const int64_t in_row = table.input * channels, row = table.output * channels;
#pragma omp parallel for schedule(static) if (rows * row >= worth_threads)
  for (int64_t r = 0; r < rows; r++) {
    uint8_t *to = out + r * row;
    for (int64_t j = 0; j < table.output; j++, to += channels) {
      const int32_t *weights = table.weights + j * table.taps;
      const uint8_t *pixel = in + r * in_row + table.first[j] * channels;
      for (int64_t c = 0; c < channels; c++) {
        int32_t sum = 1 << (resize_fraction_bits - 1);
        for (int32_t t = 0; t < table.count[j]; t++) sum += weights[t] * pixel[t * channels + c];
        to[c] = resize_round(sum);
      }
    }
  }
}

// Output row `i` of a column-wise resize, `count` bytes of it: a weighted sum of rows `step` apart.
void resize_column(const ResizeTable &table, int64_t i, const uint8_t *in, int64_t step,
                   int64_t count, uint8_t *out) {
  const int32_t *weights = table.weights + i * table.taps;
  in += table.first[i] * step;
  constexpr int64_t at_once = 64;
  for (int64_t start = 0; start < count; start += at_once) {
    const int64_t some = min(at_once, count - start);
    int32_t sum[at_once];
    for (int64_t j = 0; j < some; j++) sum[j] = 1 << (resize_fraction_bits - 1);
    for (int32_t t = 0; t < table.count[i]; t++) {
      const uint8_t *from = in + t * step + start;
      for (int64_t j = 0; j < some; j++) sum[j] += weights[t] * from[j];
    }
    for (int64_t j = 0; j < some; j++) out[start + j] = resize_round(sum[j]);
  }
}

void prepare_images(const PrepareShape &s, const uint8_t *images, float *y, uint8_t *scratch) {
  const int64_t channels = s.channels, width = s.columns.output, height = s.rows.output;
  const int64_t row = width * channels;
  if (!s.columns.identity()) {
    const auto resize = channels == 3   ? resize_rows<3>
                        : channels == 1 ? resize_rows<1>
                                        : resize_rows<0>;
    resize(s.columns, s.batch * s.rows.input, channels, images, scratch);
    images = scratch;
  }
  const int64_t blocks = (channels + s.block - 1) / s.block;
#pragma omp parallel for collapse(2) schedule(static) if (s.batch * height * row >= worth_threads)
  for (int64_t n = 0; n < s.batch; n++) {
    for (int64_t i = 0; i < height; i++) {
      const uint8_t *image = images + n * s.rows.input * row;
      constexpr int64_t piece = 768;  // bytes of a row, whichever pixels they belong to
      for (int64_t start = 0; start < row; start += piece) {
        const int64_t end = min(start + piece, row);
        const uint8_t *in = image + i * row + start;
        uint8_t resized[piece];
        if (!s.rows.identity()) {
          resize_column(s.rows, i, image + start, row, end - start, resized);
          in = resized;
        }
        for (int64_t c = 0; c < channels; c++) {
          const float *table = s.table + c * 256;
          float *out =
              y + (((n * blocks + c / s.block) * height + i) * width) * s.block + c % s.block;
          const int64_t first = (start - c + channels - 1) / channels;
          const int64_t count = (end - c + channels - 1) / channels - first;
          const uint8_t *from = in + first * channels + c - start;
          out += first * s.block;
          for (int64_t j = 0; j < count; j++) out[j * s.block] = table[from[j * channels]];
        }
      }
      for (int64_t c = channels; c < blocks * s.block; c++) {
        float *out =
            y + (((n * blocks + c / s.block) * height + i) * width) * s.block + c % s.block;
        for (int64_t j = 0; j < width; j++) out[j * s.block] = 0.0f;
      }
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu
