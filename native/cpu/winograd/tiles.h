// Reading tiles of a map, at its edges too, with the backward of leaky ReLU and max pool done on
// the way; and the transforms of what was read.
#pragma once

#include "vector.h"

namespace gapcam::cpu::winograd {
namespace {

struct Range {
  int64_t begin, end;
};

// Part `index` of `count` equal parts of [0, total).
GAPCAM_ALWAYS_INLINE Range part(int64_t total, int64_t count, int64_t index) {
  return {total * index / count, total * (index + 1) / count};
}

GAPCAM_ALWAYS_INLINE int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }
GAPCAM_ALWAYS_INLINE int64_t most(int64_t x, int64_t y) { return x > y ? x : y; }

// A map as it is read: itself, or the gradient before a leaky ReLU (and before a 2x2 max pool) made
// from the gradient after it.
struct Map {
  const float *data = nullptr;
  const float *sign = nullptr;
  const uint8_t *argmax = nullptr;
  float slope = 1.0f;
  Side side;

  bool plain() const { return !sign && !argmax; }
};

// Where a tile lies: image, and row and column of its first pixel.
struct Place {
  int64_t image, y, x;
};

// The tiles from `first` on, one after the other.
struct Walk {
  int64_t tiles_y, tiles_x, padding, image, row, column;
  Walk(const Plan &plan, int64_t first, int64_t padding)
      : tiles_y(plan.tiles_y), tiles_x(plan.tiles_x), padding(padding) {
    column = first % tiles_x;
    row = first / tiles_x % tiles_y;
    image = first / (tiles_x * tiles_y);
  }
  Place place() const { return {image, row * tile - padding, column * tile - padding}; }
  void next() {
    if (++column < tiles_x) return;
    column = 0;
    if (++row < tiles_y) return;
    row = 0;
    image++;
  }
};

// Offset of the pixel at a place, which may lie outside.
template <class L>
GAPCAM_ALWAYS_INLINE int64_t offset_of(const Side &side, int64_t block, const Place &place) {
  return (((place.image * side.blocks + block) * side.height + place.y) * side.width + place.x) *
         L::width;
}

// Writes the Size x Size pixels at a place, zero outside the map, to `local`.
template <class L, int Size>
__attribute__((noinline)) void read_full(const Map &map, int64_t block, const Place &place,
                                         bool inside, float *local) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  const Side &side = map.side;
  const Vector zero{};
  const Slope<L> slope(map.slope);
  const int64_t row_step = side.width * width;
  const float *data = map.data + offset_of<L>(side, block, place);
  const float *sign = map.sign ? map.sign + offset_of<L>(side, block, place) : nullptr;
  if (inside && sign) {
    for (int i = 0; i < Size; i++, data += row_step, sign += row_step, local += Size * width) {
#pragma GCC unroll 6
      for (int j = 0; j < Size; j++) {
        const Vector d = L::load(data + j * width);
        L::store(local + j * width, L::load(sign + j * width) <= zero ? slope.below_zero(d) : d);
      }
    }
    return;
  }
  for (int64_t i = 0; i < Size; i++) {
    const int64_t y = place.y + i;
    for (int64_t j = 0; j < Size; j++) {
      const int64_t x = place.x + j;
      Vector d = zero;
      if (y >= 0 && y < side.height && x >= 0 && x < side.width) {
        d = L::load(data + i * row_step + j * width);
        if (sign) d = L::load(sign + i * row_step + j * width) <= zero ? slope.below_zero(d) : d;
      }
      L::store(local + (i * Size + j) * width, d);
    }
  }
}

// As read_full, from a pooled map, each pixel of which gives its gradient to one of four. OddY and
// OddX: whether the place is in the second row or column of a window.
template <class L, int Size, int OddY, int OddX>
__attribute__((noinline)) void read_pooled(const Map &map, int64_t block, const Place &place,
                                           float *local) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  constexpr int windows_y = (Size + OddY + 1) / 2, windows_x = (Size + OddX + 1) / 2;
  const int64_t height = map.side.height / 2, pooled_width = map.side.width / 2;
  const int64_t first_y = (place.y - OddY) / 2, first_x = (place.x - OddX) / 2;
  const Vector zero{};
  const Slope<L> slope(map.slope);
  const int64_t offset =
      (((place.image * map.side.blocks + block) * height + first_y) * pooled_width + first_x) *
      width;
  const bool covered = first_y >= 0 && first_x >= 0 && first_y + windows_y <= height &&
                       first_x + windows_x <= pooled_width;
  if (!covered) {
    for (int i = 0; i < Size * Size; i++) L::store(local + i * width, zero);
  }
#pragma GCC unroll 4
  for (int i = 0; i < windows_y; i++) {
    if (first_y + i < 0 || first_y + i >= height) continue;
#pragma GCC unroll 4
    for (int j = 0; j < windows_x; j++) {
      if (!covered && (first_x + j < 0 || first_x + j >= pooled_width)) continue;
      const int64_t at = offset + (i * pooled_width + j) * width;
      Vector d = L::load(map.data + at);
      if (map.sign) d = L::load(map.sign + at) <= zero ? slope.below_zero(d) : d;
      const typename L::Integers chosen = L::load_bytes(map.argmax + at);
#pragma GCC unroll 4
      for (int q = 0; q < 4; q++) {
        const int row = 2 * i - OddY + (q >> 1), column = 2 * j - OddX + (q & 1);
        if (row < 0 || row >= Size || column < 0 || column >= Size) continue;
        L::store(local + (row * Size + column) * width, L::where(chosen == q, d));
      }
    }
  }
}

// Reads the Size x Size pixels at a place. Returns where they are and, in `step`, the floats from
// one row to the next: in the map if they all lie there as they are wanted, else in `local`.
template <class L, int Size>
GAPCAM_ALWAYS_INLINE const float *read_tile(const Map &map, int64_t block, const Place &place,
                                            float *local, int64_t *step) {
  const Side &side = map.side;
  const bool inside =
      place.y >= 0 && place.x >= 0 && place.y + Size <= side.height && place.x + Size <= side.width;
  if (map.plain() && inside) {
    *step = side.width * L::width;
    return map.data + offset_of<L>(side, block, place);
  }
  *step = Size * L::width;
  if (!map.argmax) {
    read_full<L, Size>(map, block, place, inside, local);
  } else if (place.y & 1) {
    // Padding is alike in both directions, and so is what is odd.
    read_pooled<L, Size, 1, 1>(map, block, place, local);
  } else {
    read_pooled<L, Size, 0, 0>(map, block, place, local);
  }
  return local;
}

// One row of points from the six columns that the first transform made.
template <class L>
GAPCAM_ALWAYS_INLINE void store_points(const typename L::Vector (&columns)[6], float *out,
                                       int64_t out_step) {
  typename L::Vector row[6];
  input_transform(columns, row);
#pragma GCC unroll 6
  for (int j = 0; j < 6; j++) L::store(out + j * out_step, row[j]);
}

// Rows 1 and 2, or 3 and 4: x the point, y2 the square of the other pair's.
template <class L>
GAPCAM_ALWAYS_INLINE void transform_pair(const float *in, int64_t step, float x, float y2,
                                         float *out, int64_t out_step) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  const float *row_1 = in + step, *row_2 = row_1 + step, *row_3 = row_2 + step,
              *row_4 = row_3 + step;
  Vector plus[6], minus[6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; j++) {
    const int64_t d = j * width;
    const Vector even = L::load(row_4 + d) - y2 * L::load(row_2 + d);
    const Vector odd = x * L::load(row_3 + d) - (x * y2) * L::load(row_1 + d);
    plus[j] = even + odd;
    minus[j] = even - odd;
  }
  store_points<L>(plus, out, out_step);
  store_points<L>(minus, out + 6 * out_step, out_step);
}

// Row 0, and row 5, which is the same of the pixels one row further down.
template <class L>
GAPCAM_ALWAYS_INLINE void transform_end(const float *in, int64_t step, float *out,
                                        int64_t out_step) {
  using Vector = typename L::Vector;
  const float *row_2 = in + 2 * step, *row_4 = row_2 + 2 * step;
  Vector made[6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; j++) {
    const int64_t d = j * L::width;
    made[j] = (L::load(row_4 + d) - (a2 + b2) * L::load(row_2 + d)) + (a2 * b2) * L::load(in + d);
  }
  store_points<L>(made, out, out_step);
}

// A patch of 6x6 pixels to 36 points, point p at out + p * out_step.
template <class L>
__attribute__((noinline)) void transform_patch(const float *in, int64_t step, float *out,
                                               int64_t out_step) {
  transform_end<L>(in, step, out, out_step);
  transform_pair<L>(in, step, a, b2, out + 6 * out_step, out_step);
  transform_pair<L>(in, step, b, a2, out + 18 * out_step, out_step);
  transform_end<L>(in + step, step, out + 30 * out_step, out_step);
}

template <class L>
GAPCAM_ALWAYS_INLINE void store_gradient_points(const typename L::Vector (&columns)[4], float *out,
                                                int64_t out_step) {
  typename L::Vector row[6];
  gradient_transform(columns, row);
#pragma GCC unroll 6
  for (int j = 0; j < 6; j++) L::store(out + j * out_step, row[j]);
}

template <class L>
GAPCAM_ALWAYS_INLINE void transform_gradient_pair(const float *in, int64_t step, float x,
                                                  float *out, int64_t out_step) {
  using Vector = typename L::Vector;
  Vector plus[4], minus[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    const float *g = in + j * L::width;
    const Vector even = L::load(g) + (x * x) * L::load(g + 2 * step);
    const Vector odd = x * L::load(g + step) + (x * x * x) * L::load(g + 3 * step);
    plus[j] = even + odd;
    minus[j] = even - odd;
  }
  store_gradient_points<L>(plus, out, out_step);
  store_gradient_points<L>(minus, out + 6 * out_step, out_step);
}

// A tile of 4x4 gradients to 36 points; adds them to *total.
template <class L>
__attribute__((noinline)) void transform_gradients(const float *in, int64_t step, float *out,
                                                   int64_t out_step, typename L::Vector *total) {
  using Vector = typename L::Vector;
  Vector sum{}, row[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    row[j] = L::load(in + j * L::width);
    sum += row[j] + L::load(in + step + j * L::width);
  }
  store_gradient_points<L>(row, out, out_step);
  transform_gradient_pair<L>(in, step, a, out + 6 * out_step, out_step);
  transform_gradient_pair<L>(in, step, b, out + 18 * out_step, out_step);
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    row[j] = L::load(in + 3 * step + j * L::width);
    sum += row[j] + L::load(in + 2 * step + j * L::width);
  }
  store_gradient_points<L>(row, out + 30 * out_step, out_step);
  *total += sum;
}

}  // namespace
}  // namespace gapcam::cpu::winograd
