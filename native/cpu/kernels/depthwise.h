// Convolutions of each channel by itself. Part of kernels.cpp, which says what may be used here.
//
// The channels of a block are lanes, so that one vector multiplies with one vector of weights. A
// row of the result is a sum of rows, each moved by a column of the kernel; where several outputs
// belong to a channel, the m-th outputs of a block of channels are computed as a plane of their own
// and put in their order afterwards.
#pragma once

#include <omp.h>

#include "blocks.h"
#include "elementwise.h"

namespace gapcam::cpu {
namespace {

// The columns of a kernel, of which result t reads pixel t * step + offset.
struct Columns {
  int64_t offset[depthwise_kernel_max], index[depthwise_kernel_max];
  int64_t count = 0, step = 1;
  int64_t results = 0;         // in a row
  int64_t width = 0;           // of what is read
  int64_t first = 0, end = 0;  // the results for which every column meets a pixel

  bool meets(int64_t column, int64_t result) const {
    const int64_t pixel = result * step + offset[column];
    return pixel >= 0 && pixel < width;
  }
  void find_inner() {
    const auto inner = [&](int64_t result) {
      for (int64_t k = 0; k < count; k++) {
        if (!meets(k, result)) return false;
      }
      return true;
    };
    while (first < results && !inner(first)) first++;
    end = first;
    while (end < results && inner(end)) end++;
  }
};

// The rows that a row of the result sums, and their weights.
struct Rows {
  const float *pixels[depthwise_rows_max], *weight[depthwise_rows_max];
  int64_t count = 0;
};

template <int64_t Block>
const auto &load_block(const float *p) {
  return *reinterpret_cast<const typename Vector<Block>::Floats *>(p);
}
template <int64_t Block>
void store_block(float *p, const typename Vector<Block>::Floats &v) {
  *reinterpret_cast<typename Vector<Block>::Floats *>(p) = v;
}

// What starts a sum and what is done to it.
template <int64_t Block>
struct Epilogue {
  typename Vector<Block>::Floats start;
  float slope;  // 1: none

  void store(float *y, const typename Vector<Block>::Floats &sum) const {
    using Floats = typename Vector<Block>::Floats;
    if (slope == 1.0f) return store_block<Block>(y, sum);
    const Floats low = slope == 0.0f ? Floats{} : sum * slope;
    store_block<Block>(y, low > sum ? low : sum);
  }
};

// Results t to t + Count - 1, by the columns of the kernel from `first` on.
template <int64_t Block, int64_t Step, int Count>
inline void sum_columns(const Rows &rows, const Columns &columns, int64_t first, int64_t end,
                        int64_t t, const Epilogue<Block> &epilogue, float *y, int64_t y_step) {
  using Floats = typename Vector<Block>::Floats;
  const int64_t step = Step ? Step : columns.step;
  Floats sum[Count];
#pragma GCC unroll 8
  for (int i = 0; i < Count; i++) sum[i] = epilogue.start;
  for (int64_t r = 0; r < rows.count; r++) {
    const float *row = rows.pixels[r] + t * step * Block, *weights = rows.weight[r];
    for (int64_t k = first; k < end; k++) {
      const Floats w = load_block<Block>(weights + columns.index[k] * Block);
      const float *pixel = row + columns.offset[k] * Block;
#pragma GCC unroll 8
      for (int i = 0; i < Count; i++) sum[i] += load_block<Block>(pixel + i * step * Block) * w;
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Count; i++) epilogue.store(y + (t + i) * y_step * Block, sum[i]);
}

template <int64_t Block, int64_t Step>
void sum_row(const Rows &rows, const Columns &columns, const Epilogue<Block> &epilogue, float *y,
             int64_t y_step) {
  const int64_t count = columns.count;
  const auto edge = [&](int64_t t) {
    // The columns that meet a pixel are neighbours.
    int64_t first = 0;
    while (first < count && !columns.meets(first, t)) first++;
    int64_t end = first;
    while (end < count && columns.meets(end, t)) end++;
    sum_columns<Block, Step, 1>(rows, columns, first, end, t, epilogue, y, y_step);
  };
  int64_t t = 0;
  for (; t < columns.first; t++) edge(t);
  for (; t + 8 <= columns.end; t += 8) {
    sum_columns<Block, Step, 8>(rows, columns, 0, count, t, epilogue, y, y_step);
  }
  for (; t + 4 <= columns.end; t += 4) {
    sum_columns<Block, Step, 4>(rows, columns, 0, count, t, epilogue, y, y_step);
  }
  for (; t < columns.end; t++) {
    sum_columns<Block, Step, 1>(rows, columns, 0, count, t, epilogue, y, y_step);
  }
  for (; t < columns.results; t++) edge(t);
}

// Calls body with the step known at compile time where it is 1 or 2; Fixed<0> stands for any other.
template <class Body>
void with_step(int64_t step, const Body &body) {
  if (step == 1) return body(Fixed<1>{});
  if (step == 2) return body(Fixed<2>{});
  body(Fixed<0>{});
}

// Only blocks of 8 and 16 come here.
template <class Body>
void with_blocked(int64_t block, const Body &body) {
  if (block == 8) return body(Fixed<8>{});
  body(Fixed<16>{});
}

Columns forward_columns(const DepthwiseShape &s) {
  Columns columns;
  columns.count = s.kernel_width;
  for (int64_t k = 0; k < columns.count; k++) {
    columns.index[k] = k;
    columns.offset[k] = k * s.dilation_width - s.padding_width;
  }
  columns.step = s.stride_width;
  columns.results = s.output.width;
  columns.width = s.input.width;
  columns.find_inner();
  return columns;
}

// Of the input's columns start, start + stride, ...
Columns backward_columns(const DepthwiseShape &s, int64_t start) {
  Columns columns;
  for (int64_t k = 0; k < s.kernel_width; k++) {
    const int64_t distance = start + s.padding_width - k * s.dilation_width;
    if (distance % s.stride_width != 0) continue;
    columns.index[columns.count] = k;
    columns.offset[columns.count++] = distance / s.stride_width;
  }
  columns.results = (s.input.width - start + s.stride_width - 1) / s.stride_width;
  columns.width = s.output.width;
  columns.find_inner();
  return columns;
}

// The m-th outputs of a block of channels, by what its lanes are among the block's outputs: lane
// `l` of block `r` of them is output `m` of channel `c`.
struct Place {
  int64_t m, c;
  Place(const DepthwiseShape &s, int64_t r, int64_t l)
      : m((r * s.input.block + l) % s.multiplier), c((r * s.input.block + l) / s.multiplier) {}
};

void depthwise_weight(const DepthwiseShape &s, const float *plain, float *transformed) {
  const int64_t block = s.input.block, taps = s.taps();
  for (int64_t plane = 0; plane < s.input.blocks() * s.multiplier; plane++) {
    const int64_t m = plane % s.multiplier;
    for (int64_t l = 0; l < block; l++) {
      const int64_t c = plane / s.multiplier * block + l;
      for (int64_t k = 0; k < taps; k++) {
        transformed[(plane * taps + k) * block + l] =
            c < s.input.channels ? plain[(c * s.multiplier + m) * taps + k] : 0.0f;
      }
    }
  }
}

void depthwise(const DepthwiseShape &s, const float *x, const float *weight, const float *bias,
               float *y, float *scratch) {
  const Columns columns = forward_columns(s);
  const int64_t multiplier = s.multiplier, taps = s.taps();
  const int64_t planes = s.input.batch * s.input.blocks();
  with_blocked(s.input.block, [&](auto fixed) {
    constexpr int64_t block = decltype(fixed)::value;
    const int64_t row = s.output.width * block;
    with_step(s.stride_width, [&](auto step) {
#pragma omp parallel for collapse(2) schedule(static) if (s.work() >= worth_threads)
      for (int64_t plane = 0; plane < planes; plane++) {
        for (int64_t oh = 0; oh < s.output.height; oh++) {
          const int64_t n = plane / s.input.blocks(), q = plane % s.input.blocks();
          float *apart = scratch + omp_get_thread_num() * multiplier * row;
          for (int64_t m = 0; m < multiplier; m++) {
            Epilogue<block> epilogue{{}, s.negative_slope};
            float start[block] = {};
            for (int64_t l = 0; bias && l < min(block, s.input.channels - q * block); l++) {
              start[l] = bias[(q * block + l) * multiplier + m];
            }
            epilogue.start = load_block<block>(start);
            Rows rows;
            for (int64_t k = 0; k < s.kernel_height; k++) {
              const int64_t ih = oh * s.stride_height - s.padding_height + k * s.dilation_height;
              if (ih < 0 || ih >= s.input.height) continue;
              rows.pixels[rows.count] = x + (plane * s.input.height + ih) * s.input.width * block;
              rows.weight[rows.count++] =
                  weight + ((q * multiplier + m) * taps + k * s.kernel_width) * block;
            }
            float *out =
                multiplier == 1 ? y + (plane * s.output.height + oh) * row : apart + m * row;
            sum_row<block, decltype(step)::value>(rows, columns, epilogue, out, 1);
          }
          if (multiplier == 1) continue;
          for (int64_t r = 0; r < min(multiplier, s.output.blocks() - q * multiplier); r++) {
            float *out =
                y + ((n * s.output.blocks() + q * multiplier + r) * s.output.height + oh) * row;
            for (int64_t l = 0; l < block; l++) {
              const Place place(s, r, l);
              const float *from = apart + place.m * row + place.c;
              for (int64_t i = 0; i < row; i += block) out[i + l] = from[i];
            }
          }
        }
      }
    });
  });
}

// The gradient before the leaky ReLU, of the outputs of one block of channels: the m-th ones
// `plane` floats apart. Where nothing is to be done it stays where it is.
const float *gradient_planes(const DepthwiseShape &s, int64_t n, int64_t q, const float *d_y,
                             const float *sign, float *scratch) {
  const int64_t block = s.input.block, size = s.output.pixels() * block;
  const int64_t first = (n * s.output.blocks() + q * s.multiplier) * size;
  if (s.multiplier == 1 && !sign) return d_y + first;
  if (s.multiplier == 1) {
    const float *d = d_y + first, *known = sign + first;
#pragma omp simd
    for (int64_t i = 0; i < size; i++) {
      scratch[i] = leaky_relu_gradient(known[i], d[i], s.negative_slope);
    }
    return scratch;
  }
  for (int64_t r = 0; r < s.multiplier; r++) {
    const bool there = q * s.multiplier + r < s.output.blocks();
    for (int64_t l = 0; l < block; l++) {
      const Place place(s, r, l);
      const int64_t from = first + r * size + l;
      float *to = scratch + place.m * size + place.c;
      for (int64_t i = 0; i < size; i += block) {
        to[i] = !there ? 0.0f
                : sign ? leaky_relu_gradient(sign[from + i], d_y[from + i], s.negative_slope)
                       : d_y[from + i];
      }
    }
  }
  return scratch;
}

void depthwise_backward_data(const DepthwiseShape &s, const float *d_y, const float *sign,
                             const float *weight, float *d_x, float *scratch) {
  const int64_t multiplier = s.multiplier, taps = s.taps();
  Columns columns[depthwise_stride_max];
  for (int64_t start = 0; start < s.stride_width; start++) {
    columns[start] = backward_columns(s, start);
  }
  with_blocked(s.input.block, [&](auto fixed) {
    constexpr int64_t block = decltype(fixed)::value;
    const int64_t row = s.output.width * block, size = s.output.pixels() * block;
#pragma omp parallel for schedule(static) if (s.work() >= worth_threads)
    for (int64_t plane = 0; plane < s.input.batch * s.input.blocks(); plane++) {
      const int64_t q = plane % s.input.blocks();
      const float *gradient = gradient_planes(s, plane / s.input.blocks(), q, d_y, sign,
                                              scratch + omp_get_thread_num() * multiplier * size);
      for (int64_t ih = 0; ih < s.input.height; ih++) {
        Rows rows;
        for (int64_t k = 0; k < s.kernel_height; k++) {
          const int64_t distance = ih + s.padding_height - k * s.dilation_height;
          const int64_t oh = distance / s.stride_height;
          if (distance < 0 || distance % s.stride_height != 0 || oh >= s.output.height) continue;
          for (int64_t m = 0; m < multiplier; m++) {
            rows.pixels[rows.count] = gradient + m * size + oh * row;
            rows.weight[rows.count++] =
                weight + ((q * multiplier + m) * taps + k * s.kernel_width) * block;
          }
        }
        float *out = d_x + (plane * s.input.height + ih) * s.input.width * block;
        for (int64_t start = 0; start < min(s.stride_width, s.input.width); start++) {
          sum_row<block, 1>(rows, columns[start], Epilogue<block>{{}, 1.0f}, out + start * block,
                            s.stride_width);
        }
      }
    }
  });
}

}  // namespace
}  // namespace gapcam::cpu
