// Images. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"

namespace gapcam::cuda {

// Resizes the rows of images [rows, columns.input, channels] to columns.output.
GAPCAM_KERNEL resize_columns(const uint8_t *images, uint8_t *y, int64_t rows, int channels,
                             ResizeTable columns) {
  const int64_t i = thread_index();
  if (i >= rows * columns.output * channels) return;
  const int c = (int)(i % channels);
  const int64_t rest = i / channels;
  const int j = (int)(rest % columns.output);
  const uint8_t *pixel =
      images + (rest / columns.output * columns.input + columns.first[j]) * channels + c;
  int sum = 1 << (resize_fraction_bits - 1);
  for (int t = 0; t < columns.count[j]; t++) {
    sum += columns.weights[(int64_t)j * columns.taps + t] * pixel[(int64_t)t * channels];
  }
  y[i] = resize_round(sum);
}

// Resizes the columns of [batch, rows.input, width, channels] unless rows.first is null, and makes
// a map of what table [channels, 256] says of each 8-bit value.
template <class T>
GAPCAM_DEVICE void prepare_map(const uint8_t *images, const float *table, T *y, int64_t batch,
                               int width, int channels, int stored_channels,
                               const ResizeTable &rows) {
  const int64_t i = thread_index();
  if (i >= batch * rows.output * width) return;
  const int64_t row = i / width;
  const int column = (int)(i % width);
  const int64_t n = row / rows.output;
  const int out = (int)(row % rows.output);
  const int64_t step = (int64_t)width * channels;
  enum { lanes = Lanes<T>::count };
  const int groups = stored_channels / lanes;
  for (int g = 0; g < groups; g++) {
    Group<T> group;
    GAPCAM_UNROLL
    for (int l = 0; l < lanes; l++) {
      const int c = g * lanes + l;
      float value = 0.0f;
      if (c < channels) {
        const uint8_t *image = images + n * rows.input * step + (int64_t)column * channels + c;
        int level;
        if (rows.first) {
          const uint8_t *pixel = image + rows.first[out] * step;
          int sum = 1 << (resize_fraction_bits - 1);
          GAPCAM_NO_UNROLL
          for (int t = 0; t < rows.count[out]; t++) {
            sum += rows.weights[(int64_t)out * rows.taps + t] * pixel[t * step];
          }
          level = resize_round(sum);
        } else {
          level = image[out * step];
        }
        value = table[c * 256 + level];
      }
      from_float(value, &group.lane[l]);
    }
    store(y, i * groups + g, group);
  }
}
GAPCAM_KERNEL prepare_images_f32(const uint8_t *images, const float *table, float *y, int64_t batch,
                                 int width, int channels, int stored_channels, ResizeTable rows) {
  prepare_map(images, table, y, batch, width, channels, stored_channels, rows);
}
GAPCAM_KERNEL prepare_images_bf16(const uint8_t *images, const float *table, Bf16 *y, int64_t batch,
                                  int width, int channels, int stored_channels, ResizeTable rows) {
  prepare_map(images, table, y, batch, width, channels, stored_channels, rows);
}

}  // namespace gapcam::cuda
