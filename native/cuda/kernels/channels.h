// Channels from place to place. Part of kernels.cu.
#pragma once

#include "groups.h"

namespace gapcam::cuda {

// y[p, c] = x[p, c - first] for the `channels` channels from `first` on, else 0.
template <class T>
GAPCAM_DEVICE void place_channels_map(const T *x, T *y, int64_t count, int from_stored,
                                      int to_stored, int first, int channels) {
  const int64_t i = thread_index();
  if (i >= count) return;
  const int c = (int)(i % to_stored) - first;
  if (c >= 0 && c < channels) {
    y[i] = x[i / to_stored * from_stored + c];
  } else {
    from_float(0.0f, y + i);
  }
}

// y[p, i * groups + g] = x[p, g * (channels / groups) + i].
template <class T>
GAPCAM_DEVICE void shuffle_channels_map(const T *x, T *y, int64_t count, int channels,
                                        int stored_channels, int groups) {
  const int64_t i = thread_index();
  if (i >= count) return;
  const int c = (int)(i % stored_channels);
  if (c < channels) {
    y[i] = x[i - c + c % groups * (channels / groups) + c / groups];
  } else {
    from_float(0.0f, y + i);
  }
}

#define GAPCAM_CHANNELS(type, T)                                                        \
  GAPCAM_KERNEL place_channels_##type(const T *x, T *y, int64_t count, int from_stored, \
                                      int to_stored, int first, int channels) {         \
    place_channels_map(x, y, count, from_stored, to_stored, first, channels);           \
  }                                                                                     \
  GAPCAM_KERNEL shuffle_channels_##type(const T *x, T *y, int64_t count, int channels,  \
                                        int stored_channels, int groups) {              \
    shuffle_channels_map(x, y, count, channels, stored_channels, groups);               \
  }
GAPCAM_CHANNELS(f32, float)
GAPCAM_CHANNELS(bf16, Bf16)

}  // namespace gapcam::cuda
