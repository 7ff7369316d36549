// Convolutions of groups that are smaller than a block of channels. Part of kernels.cpp, which says
// what may be used here.
//
// A block holds whole groups. Its i-th vector of inputs has in each lane the i-th input of the
// lane's group: one shuffle makes it of a pixel, and up to three pixels of the result take it.
#pragma once

#include <omp.h>

#include "activation.h"
#include "depthwise_rows.h"
#include "elementwise.h"

namespace gapcam::cpu {
namespace {

// Pixels of a row that registers hold beside the weights of a row of the kernel; at most.
template <int64_t Block>
constexpr int grouped_pixels = Block == 16 ? 14 : 7;

// Of a pixel, channel I of each lane's group of so many.
template <int64_t Block, int Group, int I>
inline __attribute__((always_inline)) typename Vector<Block>::Floats channel_of_groups(
    const float *pixel) {
  const auto &x = load_block<Block>(pixel);
#if defined(__clang__)
  typename Vector<Block>::Floats y;
#pragma GCC unroll 16
  for (int l = 0; l < Block; l++) y[l] = x[l / Group * Group + I];
  return y;
#else
  typename Vector<Block>::Integers lanes = {};
#pragma GCC unroll 16
  for (int l = 0; l < Block; l++) lanes[l] = l / Group * Group + I;
  return __builtin_shuffle(x, lanes);
#endif
}

// Channels I and up of each group times their weights in a row of the kernel.
template <int64_t Block, int Group, int Step, int Pixels, int I = 0>
inline __attribute__((always_inline)) void multiply_groups(
    const float *row, const float *weight, typename Vector<Block>::Floats (&sum)[Pixels]) {
  using Floats = typename Vector<Block>::Floats;
  Floats w[grouped_width];
#pragma GCC unroll 3
  for (int k = 0; k < grouped_width; k++) w[k] = load_block<Block>(weight + k * Block);
#pragma GCC unroll 32
  for (int x = 0; x < (Pixels - 1) * Step + grouped_width; x++) {
    const Floats channel = channel_of_groups<Block, Group, I>(row + x * Block);
#pragma GCC unroll 3
    for (int k = 0; k < grouped_width; k++) {
      const int pixel = (x - k) / Step;
      if (x >= k && pixel * Step == x - k && pixel < Pixels) sum[pixel] += channel * w[k];
    }
  }
  if constexpr (I + 1 < Group) {
    multiply_groups<Block, Group, Step, Pixels, I + 1>(row, weight + grouped_width * Block, sum);
  }
}

template <int64_t Block, int Group, int Step, int Pixels>
__attribute__((noinline)) void grouped_tile(const BlockedShape &s, const float *input,
                                            int64_t input_row, const float *weight,
                                            const Epilogue<Block> &epilogue, float *output) {
  typename Vector<Block>::Floats sum[Pixels];
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; p++) {
    sum[p] = s.adds ? epilogue.start + load_block<Block>(output + p * Block) : epilogue.start;
  }
  for (int64_t kh = 0; kh < s.kernel_height; kh++) {
    multiply_groups<Block, Group, Step, Pixels>(input + kh * input_row,
                                                weight + kh * Group * grouped_width * Block, sum);
  }
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; p++) epilogue.store(output + p * Block, sum[p]);
  activate_some(s, output, Pixels * Block);
}

template <int64_t Block, int Group, int Step>
void grouped_row(const BlockedShape &s, const float *input, int64_t input_row, const float *weight,
                 const Epilogue<Block> &epilogue, float *output) {
  constexpr int most = grouped_pixels<Block>;
  int64_t at = 0;
  const auto tiles = [&](auto fixed) {
    constexpr int pixels = static_cast<int>(decltype(fixed)::value);
    for (; s.output.width - at >= pixels; at += pixels) {
      grouped_tile<Block, Group, Step, pixels>(s, input + at * Step * Block, input_row, weight,
                                               epilogue, output + at * Block);
    }
  };
  tiles(Fixed<most>{});
  if constexpr (most > 7) tiles(Fixed<7>{});
  tiles(Fixed<3>{});
  tiles(Fixed<1>{});
}

// A block of channels with zeros around it, where the kernel reads beyond its edge.
template <int64_t Block>
void pad_plane(const BlockedShape &s, const float *x, float *padded) {
  const int64_t width = s.padded_width(), row = s.input.width * Block;
  for (int64_t h = 0; h < s.padded_height(); h++, padded += width * Block) {
    const int64_t from = h - s.padding_height;
    const bool there = from >= 0 && from < s.input.height;
    const float *line = x + from * row;
    for (int64_t i = 0; i < width * Block; i++) {
      const int64_t at = i - s.padding_width * Block;
      padded[i] = there && at >= 0 && at < row ? line[at] : 0.0f;
    }
  }
}

template <int64_t Block, int Group>
void grouped_with(const BlockedShape &s, const float *x, const float *weight, const float *bias,
                  float *y, float *scratch) {
  const bool pads = s.pads();
  const int64_t blocks = s.output.blocks(), rows = s.output.height;
  const int64_t input_row = (pads ? s.padded_width() : s.input.width) * Block;
  const int64_t all = s.input.batch * blocks * rows;
#pragma omp parallel if (s.work() >= worth_threads)
  {
    float *padded = scratch + omp_get_thread_num() * s.padded_elements();
    const int64_t threads = omp_get_num_threads();
    const int64_t end = all * (omp_get_thread_num() + 1) / threads;
    for (int64_t at = all * omp_get_thread_num() / threads; at < end;) {
      const int64_t plane = at / rows, block = plane % blocks;
      const float *input = x + plane * s.input.pixels() * Block;
      if (pads) {
        pad_plane<Block>(s, input, padded);
        input = padded;
      }
      Epilogue<Block> epilogue;
      epilogue.follow(s);
      for (int64_t l = 0; bias && l < min(Block, s.output.channels - block * Block); l++) {
        epilogue.start[l] = bias[block * Block + l];
      }
      const float *w = weight + block * s.taps() * Group * Block;
      for (const int64_t last = min(end, (plane + 1) * rows); at < last; at++) {
        const float *from = input + at % rows * s.stride_height * input_row;
        float *to = y + at * s.output.width * Block;
        if (s.stride_width == 1) {
          grouped_row<Block, Group, 1>(s, from, input_row, w, epilogue, to);
        } else {
          grouped_row<Block, Group, 2>(s, from, input_row, w, epilogue, to);
        }
      }
    }
  }
}

void grouped(const BlockedShape &s, const float *x, const float *weight, const float *bias,
             float *y, float *scratch) {
#if defined(__AVX512F__)
  if (s.group == 8) return grouped_with<16, 8>(s, x, weight, bias, y, scratch);
  grouped_with<16, 4>(s, x, weight, bias, y, scratch);
#else
  grouped_with<8, 4>(s, x, weight, bias, y, scratch);
#endif
}

// From [channels, group, taps] to blocks of channels: [row of the kernel][input][column][channel].
void grouped_weight(const BlockedShape &s, const float *plain, float *transformed) {
  const int64_t block = s.output.block, group = s.group, taps = s.taps();
  for (int64_t b = 0; b < s.output.blocks(); b++) {
    for (int64_t kh = 0; kh < s.kernel_height; kh++) {
      for (int64_t i = 0; i < group; i++) {
        for (int64_t kw = 0; kw < s.kernel_width; kw++) {
          const int64_t k = kh * s.kernel_width + kw;
          for (int64_t o = b * block; o < (b + 1) * block; o++, transformed++) {
            const int64_t other = o / group * group + i;
            if (o >= s.output.channels) {
              *transformed = 0.0f;
            } else if (s.backward) {
              *transformed = plain[(other * group + o % group) * taps + taps - 1 - k];
            } else {
              *transformed = plain[(o * group + i) * taps + k];
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu
