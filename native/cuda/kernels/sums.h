// Sums over the positions of a map. Part of kernels.cu.
#pragma once

#include "groups.h"

namespace gapcam::cuda {

// The first of the channels that a thread of each_position() takes; in a thread that takes none,
// one that there is.
template <class T>
GAPCAM_DEVICE int first_channel(int stored_channels, int columns) {
  const int c = ((int)blockIdx.x * columns + (int)threadIdx.x % columns) * Lanes<T>::count;
  return c < stored_channels ? c : 0;
}

// body.take() of each group and what the body loads of it, where each thread keeps to a group of
// channels and what belongs to these in registers. A block takes `columns` groups of channels (x)
// and one slice of the positions (y).
template <class T, class Body>
GAPCAM_DEVICE void each_position(int64_t positions, int stored_channels, int columns,
                                 const Body &body) {
  const int groups = stored_channels / Lanes<T>::count, rows = block_threads / columns;
  const int g = (int)blockIdx.x * columns + (int)threadIdx.x % columns;
  if (g >= groups) return;
  const int64_t step = (int64_t)gridDim.y * rows;
  int64_t p = (int64_t)blockIdx.y * rows + (int)threadIdx.x / columns;
  enum { loads = Body::loads };
  // Few blocks share the positions: one load at a time would leave the memory idle.
  for (; p + (loads - 1) * step < positions; p += loads * step) {
    typename Body::Loaded loaded[loads];
    GAPCAM_UNROLL
    for (int k = 0; k < loads; k++) loaded[k] = body.load_group((p + k * step) * groups + g);
    GAPCAM_UNROLL
    for (int k = 0; k < loads; k++) body.take((p + k * step) * groups + g, loaded[k]);
  }
  for (; p < positions; p += step) body.take(p * groups + g, body.load_group(p * groups + g));
}

// Which of its block's channels a thread finishes, once all have left their parts in shared memory:
// each another one, so that no thread adds up several in turn. A block has as many threads as its
// `columns` have channels, or more; SumShape sees to it.
struct SliceChannel {
  int channel, column, lane;
  bool filled;
};
template <class T>
GAPCAM_DEVICE SliceChannel slice_channel(int stored_channels, int columns) {
  enum { lanes = Lanes<T>::count };
  const int t = (int)threadIdx.x, channel = (int)blockIdx.x * columns * lanes + t;
  return {channel, t / lanes, t % lanes, t < columns * lanes && channel < stored_channels};
}

// What the rows of a block's threads left for that channel, added up.
template <class T>
GAPCAM_DEVICE float sum_rows_of(const float (&shared)[block_threads][Lanes<T>::count],
                                const SliceChannel &own, int columns) {
  float total = 0.0f;
  for (int r = 0; r < block_threads / columns; r++) {
    total += shared[r * columns + own.column][own.lane];
  }
  return total;
}

// partial[slice][k][stored_channels] = the sums of a block's threads, which are 0 in those without
// channels.
template <class T, int Count>
GAPCAM_DEVICE void write_slice(const float (&sum)[Count][Lanes<T>::count], float *partial,
                               int stored_channels, int columns) {
  enum { lanes = Lanes<T>::count };
  GAPCAM_SHARED float shared[Count][block_threads][lanes];
  for (int k = 0; k < Count; k++) {
    for (int l = 0; l < lanes; l++) shared[k][threadIdx.x][l] = sum[k][l];
  }
  GAPCAM_SYNCHRONISE();
  const SliceChannel own = slice_channel<T>(stored_channels, columns);
  if (!own.filled) return;
  for (int k = 0; k < Count; k++) {
    partial[((int64_t)blockIdx.y * Count + k) * stored_channels + own.channel] =
        sum_rows_of<T>(shared[k], own, columns);
  }
}

// A block that finishes sums takes this many channels; its rows of threads share the slices.
enum { finish_rows = block_threads / finish_columns };

GAPCAM_DEVICE int finish_channel() {
  return (int)blockIdx.x * finish_columns + (int)threadIdx.x % finish_columns;
}
GAPCAM_DEVICE bool finishes() { return threadIdx.x < finish_columns; }

// The sum over the slices of what body(slice, channel) says for channel finish_channel(), for the
// threads that finish(). All threads of the block must call it.
template <class Body>
GAPCAM_DEVICE double sum_slices(int slices, int stored_channels, const Body &body) {
  GAPCAM_SHARED double shared[block_threads];
  const int c = finish_channel();
  double total = 0.0;
  if (c < stored_channels) {
    for (int s = (int)threadIdx.x / finish_columns; s < slices; s += finish_rows) {
      total += body(s, c);
    }
  }
  shared[threadIdx.x] = total;
  GAPCAM_SYNCHRONISE();
  for (int r = 1; finishes() && r < finish_rows; r++) {
    total += shared[r * finish_columns + threadIdx.x];
  }
  GAPCAM_SYNCHRONISE();
  return total;
}

// Sum k of `count` that write_slice() made of each slice.
struct SliceSum {
  const float *partial;
  int count, k, stored_channels;
  GAPCAM_DEVICE double operator()(int slice, int c) const {
    return (double)partial[((int64_t)slice * count + k) * stored_channels + c];
  }
};

template <class T>
struct SumBody {
  enum { loads = 4 };
  const T *x;
  float (&sum)[1][Lanes<T>::count];
  using Loaded = Group<T>;
  GAPCAM_DEVICE Loaded load_group(int64_t group) const { return load(x, group); }
  GAPCAM_DEVICE void take(int64_t, const Loaded &v) const {
    for (int l = 0; l < Lanes<T>::count; l++) sum[0][l] += to_float(v.lane[l]);
  }
};
template <class T>
GAPCAM_DEVICE void sum_channels_map(const T *x, float *partial, int64_t positions,
                                    int stored_channels, int columns) {
  float sum[1][Lanes<T>::count] = {};
  each_position<T>(positions, stored_channels, columns, SumBody<T>{x, sum});
  write_slice<T>(sum, partial, stored_channels, columns);
}
GAPCAM_KERNEL sum_channels_f32(const float *x, float *partial, int64_t positions,
                               int stored_channels, int columns) {
  sum_channels_map(x, partial, positions, stored_channels, columns);
}
GAPCAM_KERNEL sum_channels_bf16(const Bf16 *x, float *partial, int64_t positions,
                                int stored_channels, int columns) {
  sum_channels_map(x, partial, positions, stored_channels, columns);
}
// y[c] = the sum of the slices, for a bias.
GAPCAM_KERNEL finish_sum_channels(const float *partial, float *y, int slices, int channels,
                                  int stored_channels) {
  const double total =
      sum_slices(slices, stored_channels, SliceSum{partial, 1, 0, stored_channels});
  const int c = finish_channel();
  if (finishes() && c < channels) y[c] = (float)total;
}

// Sums over the rows of [rows, columns], for a linear layer's bias.
GAPCAM_KERNEL sum_rows_f32(const float *x, float *y, int rows, int columns) {
  const int c = (int)thread_index();
  if (c >= columns) return;
  float sum = 0.0f;
  for (int64_t r = 0; r < rows; r++) sum += x[r * columns + c];
  y[c] = sum;
}

}  // namespace gapcam::cuda
