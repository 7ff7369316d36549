// Convolutions of each channel by itself. Part of kernels.cpp, which says what may be used here.
//
// The channels of a block are lanes, so that one vector multiplies with one vector of weights. A
// row of the result is a sum of rows, each moved by a column of the kernel; where several outputs
// belong to a channel, the m-th outputs of a block of channels are computed as a plane of their own
// and put in their order afterwards.
#pragma once

#include <omp.h>

#include "activation.h"
#include "depthwise_rows.h"
#include "elementwise.h"

namespace gapcam::cpu {
namespace {

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
  // From the last on: they read pixels in order.
  for (int64_t k = s.kernel_width - 1; k >= 0; k--) {
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

// One row of the outputs of a block of channels q, from rows of `width` pixels.
template <int64_t Block, int64_t Step>
void depthwise_row(const DepthwiseShape &s, int64_t q, int64_t oh, const float *pixels,
                   const Columns &columns, const float *weight, const float *bias, int64_t m,
                   float *out) {
  Epilogue<Block> epilogue;
  epilogue.follow(s);
  float start[Block] = {};
  for (int64_t l = 0; bias && l < min(Block, s.input.channels - q * Block); l++) {
    start[l] = bias[(q * Block + l) * s.multiplier + m];
  }
  epilogue.start = load_block<Block>(start);
  Rows rows;
  for (int64_t k = 0; k < s.kernel_height; k++) {
    const int64_t ih = oh * s.stride_height - s.padding_height + k * s.dilation_height;
    if (ih < 0 || ih >= s.input.height) continue;
    rows.pixels[rows.count] = pixels + ih * columns.width * Block;
    rows.weight[rows.count++] =
        weight + ((q * s.multiplier + m) * s.taps() + k * s.kernel_width) * Block;
  }
  sum_row<Block, Step>(rows, columns, epilogue, out, 1);
  activate_some(s, out, s.output.width * Block);
}

// From outputs m of a block of channels beside each other to the blocks that they belong in.
void interleave_row(const DepthwiseShape &s, int64_t n, int64_t q, int64_t oh, const float *apart,
                    float *y) {
  const int64_t block = s.input.block, row = s.output.width * block;
  for (int64_t r = 0; r < min(s.multiplier, s.output.blocks() - q * s.multiplier); r++) {
    float *out = y + ((n * s.output.blocks() + q * s.multiplier + r) * s.output.height + oh) * row;
    for (int64_t l = 0; l < block; l++) {
      const Place place(s, r, l);
      const float *from = apart + place.m * row + place.c;
      for (int64_t i = 0; i < row; i += block) out[i + l] = from[i];
    }
  }
}

void depthwise(const DepthwiseShape &s, const float *x, const float *weight, const float *bias,
               float *y, float *scratch) {
  const Columns columns = forward_columns(s);
  const bool pads = s.pads();
  const int64_t left = columns.left(), right = columns.right();
  const Columns inner = pads ? columns.padded(left, right) : columns;
  // What is copied once is for all rows.
  const int64_t parts = pads ? 1 : s.output.height, rows = pads ? s.output.height : 1;
  const int64_t planes = s.input.batch * s.input.blocks();
  with_blocked(s.input.block, [&](auto fixed) {
    constexpr int64_t block = decltype(fixed)::value;
    const int64_t row = s.output.width * block, size = s.input.pixels() * block;
    const int64_t own = s.multiplier * row + (pads ? s.padded_elements() : 0);
    with_step(s.stride_width, [&](auto step) {
#pragma omp parallel for collapse(2) schedule(static) if (s.work() >= worth_threads)
      for (int64_t plane = 0; plane < planes; plane++) {
        for (int64_t part = 0; part < parts; part++) {
          const int64_t n = plane / s.input.blocks(), q = plane % s.input.blocks();
          float *apart = scratch + omp_get_thread_num() * own;
          const float *pixels = x + plane * size;
          if (pads) {
            float *padded = apart + s.multiplier * row;
            pad_rows<block>(pixels, s.input.height, s.input.width, left, right, padded);
            pixels = padded;
          }
          for (int64_t oh = part * rows; oh < (part + 1) * rows; oh++) {
            for (int64_t m = 0; m < s.multiplier; m++) {
              float *out =
                  s.multiplier == 1 ? y + (plane * s.output.height + oh) * row : apart + m * row;
              depthwise_row<block, decltype(step)::value>(s, q, oh, pixels, inner, weight, bias, m,
                                                          out);
            }
            if (s.multiplier > 1) interleave_row(s, n, q, oh, apart, y);
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
  const bool pads = s.pads() && multiplier == 1;
  Columns columns[depthwise_stride_max];
  int64_t left = 0, right = 0;
  for (int64_t start = 0; start < s.stride_width; start++) {
    columns[start] = backward_columns(s, start);
    left = max(left, columns[start].left());
    right = max(right, columns[start].right());
  }
  for (int64_t start = 0; pads && start < s.stride_width; start++) {
    columns[start] = columns[start].padded(left, right);
  }
  with_blocked(s.input.block, [&](auto fixed) {
    constexpr int64_t block = decltype(fixed)::value;
    const int64_t size = s.output.pixels() * block;
    const int64_t row = (s.output.width + (pads ? left + right : 0)) * block;
    const int64_t own = multiplier * size + (pads ? s.padded_elements() : 0);
#pragma omp parallel for schedule(static) if (s.work() >= worth_threads)
    for (int64_t plane = 0; plane < s.input.batch * s.input.blocks(); plane++) {
      const int64_t q = plane % s.input.blocks();
      float *apart = scratch + omp_get_thread_num() * own;
      const float *gradient = gradient_planes(s, plane / s.input.blocks(), q, d_y, sign, apart);
      if (pads) {
        float *padded = apart + multiplier * size;
        pad_rows<block>(gradient, s.output.height, s.output.width, left, right, padded);
        gradient = padded;
      }
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
          sum_row<block, 1>(rows, columns[start], Epilogue<block>{}, out + start * block,
                            s.stride_width);
        }
      }
    }
  });
}

}  // namespace
}  // namespace gapcam::cpu
