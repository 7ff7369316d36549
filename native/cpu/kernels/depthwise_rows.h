// Rows of depthwise.h: sums of rows of blocks of channels, each moved by a column of the kernel.
#pragma once

#include "activation.h"
#include "blocks.h"

namespace gapcam::cpu {
namespace {

// The columns of a kernel, of which result t reads pixel t * step + offset.
struct Columns {
  int64_t offset[depthwise_kernel_max], index[depthwise_kernel_max];
  int64_t count = 0, step = 1;
  int64_t results = 0;         // in a row
  int64_t width = 0;           // of what is read
  int64_t first = 0, end = 0;  // the results for which every column meets a pixel

  // Whether the columns read pixels beside each other, in order.
  bool neighbours() const {
    for (int64_t k = 0; k < count; k++) {
      if (offset[k] != offset[0] + k) return false;
    }
    return true;
  }
  bool meets(int64_t column, int64_t result) const {
    const int64_t pixel = result * step + offset[column];
    return pixel >= 0 && pixel < width;
  }
  // How many pixels before a row and behind it the results read.
  int64_t left() const { return count > 0 && offset[0] < 0 ? -offset[0] : 0; }
  int64_t right() const {
    return count > 0 ? max((results - 1) * step + offset[count - 1] - (width - 1), 0) : 0;
  }
  // The same of rows that have zeros there.
  Columns padded(int64_t left, int64_t right) const {
    Columns wide = *this;
    for (int64_t k = 0; k < count; k++) wide.offset[k] += left;
    wide.width += left + right;
    wide.first = 0;
    wide.end = results;
    return wide;
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

template <class Shape>
bool clips_from_zero(const Shape &s) {
  return s.activation == activation_clip && s.a == 0.0f;
}

// What starts a sum and what is done to it: leaky ReLU or clip from 0, or nothing.
template <int64_t Block>
struct Epilogue {
  using Floats = typename Vector<Block>::Floats;
  Floats start = {};
  bool plain = true;
  Floats slope = {}, ceiling = {};

  // What follows, as far as this is all of it; see activate_some.
  template <class Shape>
  void follow(const Shape &s) {
    const bool clips = clips_from_zero(s);
    const float of_slope = clips ? 0.0f : s.negative_slope;
    const float of_ceiling = clips ? s.b : __builtin_inff();
    plain = of_slope == 1.0f && of_ceiling == __builtin_inff();
    slope += of_slope;
    ceiling += of_ceiling;
    sloping = Integers{} - (of_slope != 0.0f ? 1 : 0);
  }
  void store(float *y, const Floats &sum) const {
    // Slope 0 makes 0 of infinity too.
    const Floats low = sloping ? Floats(sum * slope) : Floats{};
    const Floats above = low > sum ? low : sum;
    store_block<Block>(y, above > ceiling ? ceiling : above);
  }

 private:
  using Integers = typename Vector<Block>::Integers;
  Integers sloping = {};
};

// The activation that an epilogue does not do, while the numbers are near.
template <class Shape>
void activate_some(const Shape &s, float *y, int64_t count) {
  if (s.activation == activation_identity || clips_from_zero(s)) return;
  with_activation(s.activation, [&](auto kind) {
    const float a = s.a, b = s.b;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) y[i] = activate(kind.value, a, b, y[i]);
  });
}

// Results t to t + Count - 1, by the columns of the kernel from `first` on; with Taps by all of
// them, which are as many and read pixels beside each other.
template <int64_t Block, int64_t Step, int Taps, int Count>
inline void sum_columns(const Rows &rows, const Columns &columns, int64_t first, int64_t end,
                        int64_t t, const Epilogue<Block> &epilogue, float *y, int64_t y_step) {
  using Floats = typename Vector<Block>::Floats;
  const int64_t step = Step ? Step : columns.step;
  Floats sum[Count];
#pragma GCC unroll 8
  for (int i = 0; i < Count; i++) sum[i] = epilogue.start;
  if constexpr (Taps > 0) {
    const int64_t to_next = Taps > 1 ? (columns.index[1] - columns.index[0]) * Block : 0;
    const int64_t pixel = (t * step + columns.offset[0]) * Block;
    const int64_t weight = columns.index[0] * Block;
    for (int64_t r = 0; r < rows.count; r++) {
      const float *row = rows.pixels[r] + pixel, *weights = rows.weight[r] + weight;
#pragma GCC unroll 8
      for (int k = 0; k < Taps; k++) {
        const Floats w = load_block<Block>(weights + k * to_next);
#pragma GCC unroll 8
        for (int i = 0; i < Count; i++) {
          sum[i] += load_block<Block>(row + (i * step + k) * Block) * w;
        }
      }
    }
  } else {
    for (int64_t r = 0; r < rows.count; r++) {
      const float *row = rows.pixels[r] + t * step * Block, *weights = rows.weight[r];
      for (int64_t k = first; k < end; k++) {
        const Floats w = load_block<Block>(weights + columns.index[k] * Block);
        const float *pixel = row + columns.offset[k] * Block;
#pragma GCC unroll 8
        for (int i = 0; i < Count; i++) sum[i] += load_block<Block>(pixel + i * step * Block) * w;
      }
    }
  }
  if (epilogue.plain) {
#pragma GCC unroll 8
    for (int i = 0; i < Count; i++) store_block<Block>(y + (t + i) * y_step * Block, sum[i]);
    return;
  }
#pragma GCC unroll 8
  for (int i = 0; i < Count; i++) epilogue.store(y + (t + i) * y_step * Block, sum[i]);
}

template <int64_t Block, int64_t Step, int Taps>
void sum_row(const Rows &rows, const Columns &columns, const Epilogue<Block> &epilogue, float *y,
             int64_t y_step) {
  const int64_t count = columns.count;
  const auto edge = [&](int64_t t) __attribute__((noinline)) {
    // The columns that meet a pixel are neighbours.
    int64_t first = 0;
    while (first < count && !columns.meets(first, t)) first++;
    int64_t end = first;
    while (end < count && columns.meets(end, t)) end++;
    sum_columns<Block, Step, 0, 1>(rows, columns, first, end, t, epilogue, y, y_step);
  };
  int64_t t = 0;
  for (; t < columns.first; t++) edge(t);
  // Several sums at a time, or each would wait for itself: 8, and what is left in two parts alike.
  const auto some = [&](auto fixed) {
    sum_columns<Block, Step, Taps, decltype(fixed)::value>(rows, columns, 0, count, t, epilogue, y,
                                                           y_step);
    t += fixed.value;
  };
  while (columns.end - t >= 16) some(Fixed<8>{});
  while (t < columns.end) {
    const int64_t left = columns.end - t;
    switch (left > 8 ? (left + 1) / 2 : left) {
      case 8:
        some(Fixed<8>{});
        break;
      case 7:
        some(Fixed<7>{});
        break;
      case 6:
        some(Fixed<6>{});
        break;
      case 5:
        some(Fixed<5>{});
        break;
      case 4:
        some(Fixed<4>{});
        break;
      case 3:
        some(Fixed<3>{});
        break;
      case 2:
        some(Fixed<2>{});
        break;
      default:
        some(Fixed<1>{});
    }
  }
  for (; t < columns.results; t++) edge(t);
}

// The same with as many columns as kernels have known at compile time.
template <int64_t Block, int64_t Step>
void sum_row(const Rows &rows, const Columns &columns, const Epilogue<Block> &epilogue, float *y,
             int64_t y_step) {
  if constexpr (Step != 0) {
    switch (columns.neighbours() ? columns.count : 0) {
      case 1:
        return sum_row<Block, Step, 1>(rows, columns, epilogue, y, y_step);
      case 2:
        return sum_row<Block, Step, 2>(rows, columns, epilogue, y, y_step);
      case 3:
        return sum_row<Block, Step, 3>(rows, columns, epilogue, y, y_step);
      case 5:
        return sum_row<Block, Step, 5>(rows, columns, epilogue, y, y_step);
      default:
        break;
    }
  }
  sum_row<Block, Step, 0>(rows, columns, epilogue, y, y_step);
}

// `height` rows of `width` blocks, with zeros before and behind each.
template <int64_t Block>
void pad_rows(const float *x, int64_t height, int64_t width, int64_t left, int64_t right,
              float *padded) {
  for (int64_t i = 0; i < height; i++) {
    for (int64_t j = 0; j < left; j++, padded += Block)
      store_block<Block>(padded, typename Vector<Block>::Floats{});
    for (int64_t j = 0; j < width; j++, padded += Block, x += Block) {
      store_block<Block>(padded, load_block<Block>(x));
    }
    for (int64_t j = 0; j < right; j++, padded += Block)
      store_block<Block>(padded, typename Vector<Block>::Floats{});
  }
}

}  // namespace
}  // namespace gapcam::cpu
