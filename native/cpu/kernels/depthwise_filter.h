// The gradient of the filters of depthwise.h. Part of kernels.cpp, which says what may be used
// here.
#pragma once

#include "depthwise.h"

namespace gapcam::cpu {
namespace {

// Adds to sum[Taps][Block] the products of a row of gradients with the row of pixels, for the
// kernel's columns from `first` on; `Ways` sums at a time, or each would wait for the one before.
template <int64_t Block, int64_t Step, int Taps, int Ways>
void multiply_rows(const float *pixels, const float *gradient, const Columns &columns,
                   int64_t first, float *sum) {
  using Floats = typename Vector<Block>::Floats;
  const int64_t step = (Step ? Step : columns.step) * Block;
  const float *tap[Taps];
#pragma GCC unroll 8
  for (int k = 0; k < Taps; k++) tap[k] = pixels + columns.offset[first + k] * Block;
  Floats part[Taps][Ways] = {};
  int64_t t = columns.first;
  for (; t + Ways <= columns.end; t += Ways) {
#pragma GCC unroll 8
    for (int i = 0; i < Ways; i++) {
      const Floats d = load_block<Block>(gradient + (t + i) * Block);
#pragma GCC unroll 8
      for (int k = 0; k < Taps; k++) part[k][i] += load_block<Block>(tap[k] + (t + i) * step) * d;
    }
  }
  for (; t < columns.end; t++) {
    const Floats d = load_block<Block>(gradient + t * Block);
#pragma GCC unroll 8
    for (int k = 0; k < Taps; k++) part[k][0] += load_block<Block>(tap[k] + t * step) * d;
  }
  const auto edge = [&](int64_t t) {
    const Floats d = load_block<Block>(gradient + t * Block);
    for (int k = 0; k < Taps; k++) {
      if (columns.meets(first + k, t)) part[k][0] += load_block<Block>(tap[k] + t * step) * d;
    }
  };
  for (t = 0; t < columns.first; t++) edge(t);
  for (t = columns.end; t < columns.results; t++) edge(t);
#pragma GCC unroll 8
  for (int k = 0; k < Taps; k++) {
    Floats total = load_block<Block>(sum + k * Block);
#pragma GCC unroll 8
    for (int i = 0; i < Ways; i++) total += part[k][i];
    store_block<Block>(sum + k * Block, total);
  }
}

template <int64_t Block, int64_t Step>
void multiply_all_rows(const float *pixels, const float *gradient, const Columns &columns,
                       float *sum) {
  int64_t k = 0;
  for (; k + 5 <= columns.count; k += 5) {
    multiply_rows<Block, Step, 5, 2>(pixels, gradient, columns, k, sum + k * Block);
  }
  for (; k + 3 <= columns.count; k += 3) {
    multiply_rows<Block, Step, 3, 3>(pixels, gradient, columns, k, sum + k * Block);
  }
  for (; k < columns.count; k++) {
    multiply_rows<Block, Step, 1, 4>(pixels, gradient, columns, k, sum + k * Block);
  }
}

// Rows of padded pixels and of the gradient that a row of the kernel brings together.
struct PaddedRows {
  const float *pixels, *gradient;
  int64_t pixel_row, gradient_row;  // from one to the next
  int64_t count, results;
};

// Adds to sum[Taps][Block] the products of all rows, for the kernel's columns from `first` on; see
// multiply_rows.
template <int64_t Block, int64_t Step, int Taps, int Ways>
void multiply_padded(const PaddedRows &rows, const Columns &columns, int64_t first, float *sum) {
  using Floats = typename Vector<Block>::Floats;
  const int64_t step = (Step ? Step : columns.step) * Block;
  const int64_t tap = Taps > 1 ? (columns.offset[first + 1] - columns.offset[first]) * Block : 0;
  Floats part[Taps][Ways] = {};
  for (int64_t r = 0; r < rows.count; r++) {
    const float *pixels = rows.pixels + r * rows.pixel_row + columns.offset[first] * Block;
    const float *gradient = rows.gradient + r * rows.gradient_row;
    int64_t t = 0;
    for (; t + Ways <= rows.results; t += Ways) {
#pragma GCC unroll 8
      for (int i = 0; i < Ways; i++) {
        const Floats d = load_block<Block>(gradient + (t + i) * Block);
#pragma GCC unroll 8
        for (int k = 0; k < Taps; k++) {
          part[k][i] += load_block<Block>(pixels + (t + i) * step + k * tap) * d;
        }
      }
    }
    for (; t < rows.results; t++) {
      const Floats d = load_block<Block>(gradient + t * Block);
#pragma GCC unroll 8
      for (int k = 0; k < Taps; k++) {
        part[k][0] += load_block<Block>(pixels + t * step + k * tap) * d;
      }
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < Taps; k++) {
    Floats total = load_block<Block>(sum + k * Block);
#pragma GCC unroll 8
    for (int i = 0; i < Ways; i++) total += part[k][i];
    store_block<Block>(sum + k * Block, total);
  }
}

// A plane's sums over rows so short that one by one they would be mostly beginnings and ends.
template <int64_t Block, int64_t Step>
void multiply_padded_plane(const DepthwiseShape &s, const Columns &columns, const float *padded,
                           const float *gradient, float *sum) {
  PaddedRows rows{};
  rows.pixel_row = columns.width * Block * s.stride_height;
  rows.gradient_row = s.output.width * Block;
  rows.results = s.output.width;
  for (int64_t k = 0; k < s.kernel_height; k++, sum += s.kernel_width * Block) {
    const auto row = [&](int64_t oh) {
      return oh * s.stride_height - s.padding_height + k * s.dilation_height;
    };
    int64_t first = 0, end = s.output.height;
    while (first < end && row(first) < 0) first++;
    while (end > first && row(end - 1) >= s.input.height) end--;
    rows.count = end - first;
    if (rows.count == 0) continue;
    rows.pixels = padded + row(first) * columns.width * Block;
    rows.gradient = gradient + first * rows.gradient_row;
    int64_t c = 0;
    for (; c + 5 <= columns.count; c += 5) {
      multiply_padded<Block, Step, 5, 2>(rows, columns, c, sum + c * Block);
    }
    for (; c + 3 <= columns.count; c += 3) {
      multiply_padded<Block, Step, 3, 3>(rows, columns, c, sum + c * Block);
    }
    for (; c < columns.count; c++) {
      multiply_padded<Block, Step, 1, 4>(rows, columns, c, sum + c * Block);
    }
  }
}

// Sums rows and planes in f32, images in f64. scratch: what each plane sums, [taps + 1][block] for
// each output of its channels, then the planes of each thread.
void depthwise_backward_filter(const DepthwiseShape &s, const float *x, const float *d_y,
                               const float *sign, float *d_weight, float *d_bias, float *scratch) {
  const Columns columns = forward_columns(s);
  const int64_t multiplier = s.multiplier, taps = s.taps();
  const int64_t planes = s.input.batch * s.input.blocks();
  const int64_t each = (taps + 1) * s.input.block;
  const bool pads = s.pads() && multiplier == 1;
  const int64_t left = columns.left(), right = columns.right();
  const Columns inner = columns.padded(left, right);
  float *threads = scratch + planes * multiplier * each;
  with_blocked(s.input.block, [&](auto fixed) {
    constexpr int64_t block = decltype(fixed)::value;
    using Floats = typename Vector<block>::Floats;
    const int64_t row = s.output.width * block, size = s.output.pixels() * block;
    const int64_t own = multiplier * size + (pads ? s.padded_elements() : 0);
    with_step(s.stride_width, [&](auto step) {
#pragma omp parallel for schedule(static) if (s.work() >= worth_threads)
      for (int64_t plane = 0; plane < planes; plane++) {
        const float *gradient =
            gradient_planes(s, plane / s.input.blocks(), plane % s.input.blocks(), d_y, sign,
                            threads + omp_get_thread_num() * own);
        float *padded = threads + omp_get_thread_num() * own + multiplier * size;
        if (pads) {
          pad_rows<block>(x + plane * s.input.pixels() * block, s.input.height, s.input.width, left,
                          right, padded);
        }
        for (int64_t m = 0; m < multiplier; m++, gradient += size) {
          float *sum = scratch + (plane * multiplier + m) * each;
          for (int64_t i = 0; i < each; i++) sum[i] = 0.0f;
          if (pads) {
            multiply_padded_plane<block, decltype(step)::value>(s, inner, padded, gradient, sum);
          }
          for (int64_t oh = 0; oh < s.output.height; oh++) {
            const float *d = gradient + oh * row;
            for (int64_t k = 0; !pads && k < s.kernel_height; k++) {
              const int64_t ih = oh * s.stride_height - s.padding_height + k * s.dilation_height;
              if (ih < 0 || ih >= s.input.height) continue;
              multiply_all_rows<block, decltype(step)::value>(
                  x + (plane * s.input.height + ih) * s.input.width * block, d, columns,
                  sum + k * s.kernel_width * block);
            }
            if (!d_bias) continue;
            Floats total = {};
            for (int64_t i = 0; i < row; i += block) total += load_block<block>(d + i);
            store_block<block>(sum + taps * block, load_block<block>(sum + taps * block) + total);
          }
        }
      }
    });
  });
#pragma omp parallel for schedule(static) if (planes * multiplier * each >= worth_threads)
  for (int64_t o = 0; o < s.output.channels; o++) {
    const int64_t c = o / multiplier, m = o % multiplier, block = s.input.block;
    for (int64_t k = 0; k <= taps; k++) {
      double total = 0.0;
      for (int64_t n = 0; n < s.input.batch; n++) {
        const int64_t plane = n * s.input.blocks() + c / block;
        total += scratch[(plane * multiplier + m) * each + k * block + c % block];
      }
      if (k < taps) d_weight[o * taps + k] = static_cast<float>(total);
      if (k == taps && d_bias) d_bias[o] = static_cast<float>(total);
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu
