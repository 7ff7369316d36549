// Planes between two matrices. Part of kernels.cu.
#pragma once

#include "groups.h"
#include "layout.h"
#include "platform.h"

namespace gapcam::cuda {

// y = rows * x * columns, plane by plane. Most factors of an interpolation are 0.
template <class T>
GAPCAM_DEVICE void resample_map(const T *x, const float *rows, const float *columns, T *y,
                                int64_t groups, const ResampleShape &s) {
  enum { lanes = Lanes<T>::count };
  const int64_t i = thread_index();
  if (i >= groups) return;
  const int channel_groups = s.channels / lanes;
  const GroupPosition at = group_position(i, s.output_height, s.output_width, channel_groups);
  float sum[lanes];
  for (int l = 0; l < lanes; l++) sum[l] = 0.0f;
  for (int h = 0; h < s.height; h++) {
    const float row = rows[at.row * s.height + h];
    if (row == 0.0f) continue;
    for (int w = 0; w < s.width; w++) {
      const float factor = row * columns[w * s.output_width + at.column];
      if (factor == 0.0f) continue;
      const int64_t from = ((at.image * s.height + h) * s.width + w) * channel_groups + at.group;
      const Group<T> v = load(x, from);
      for (int l = 0; l < lanes; l++) sum[l] += factor * to_float(v.lane[l]);
    }
  }
  Group<T> out;
  for (int l = 0; l < lanes; l++) from_float(sum[l], &out.lane[l]);
  store(y, i, out);
}

#define GAPCAM_RESAMPLE(type, T)                                                           \
  GAPCAM_KERNEL resample_##type(const T *x, const float *rows, const float *columns, T *y, \
                                int64_t groups, ResampleShape s) {                         \
    resample_map(x, rows, columns, y, groups, s);                                          \
  }
GAPCAM_RESAMPLE(f32, float)
GAPCAM_RESAMPLE(bf16, Bf16)

}  // namespace gapcam::cuda
