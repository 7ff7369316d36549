// Dropout. Part of kernels.cu.
#pragma once

#include "groups.h"
#include "random.h"

namespace gapcam::cuda {

// y may be x.
template <class T>
GAPCAM_DEVICE void dropout_map(const T *x, const int *settings, T *y, int64_t groups, int pixels,
                               int channels, int channel_groups, const DropoutShape &s) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  Group<T> v = load(x, i);
  const int64_t place = i / channel_groups, n = place / pixels;
  const int64_t image = dropout_image(settings, n);
  const int c = (int)(i - place * channel_groups) * Lanes<T>::count;
  for (int l = 0; l < Lanes<T>::count; l++) {
    const int64_t element = (image * channels + c + l) * pixels + place - n * pixels;
    const float factor = dropout_factor(s, settings, s.whole_images ? image : element);
    from_float(to_float(v.lane[l]) * factor, &v.lane[l]);
  }
  store(y, i, v);
}
GAPCAM_KERNEL dropout_f32(const float *x, const int *settings, float *y, int64_t groups, int pixels,
                          int channels, int channel_groups, DropoutShape s) {
  dropout_map(x, settings, y, groups, pixels, channels, channel_groups, s);
}
GAPCAM_KERNEL dropout_bf16(const Bf16 *x, const int *settings, Bf16 *y, int64_t groups, int pixels,
                           int channels, int channel_groups, DropoutShape s) {
  dropout_map(x, settings, y, groups, pixels, channels, channel_groups, s);
}

// Of what is no map: `each` elements an image.
GAPCAM_KERNEL dropout_elements(const float *x, const int *settings, float *y, int64_t count,
                               int64_t each, DropoutShape s) {
  const int64_t i = thread_index();
  if (i >= count) return;
  const int64_t element = i + dropout_image(settings, 0) * each;
  y[i] = x[i] * dropout_factor(s, settings, s.whole_images ? element / each : element);
}

}  // namespace gapcam::cuda
