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

  int64_t pooled_height() const { return side.height / 2; }
  int64_t pooled_width() const { return side.width / 2; }
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

// Reads the Size x Size pixels at a place. Returns where they are and, in `step`, the floats from
// one row to the next: in the map if they all lie there, else in `local`.
template <class L, int Size>
GAPCAM_ALWAYS_INLINE const float *read_tile(const Map &map, int64_t block, const Place &place,
                                            float *local, int64_t *step) {
  constexpr int64_t width = L::width;
  using Vector = typename L::Vector;
  const Side &side = map.side;
  const int64_t plane = place.image * side.blocks + block;
  const bool inside =
      place.y >= 0 && place.x >= 0 && place.y + Size <= side.height && place.x + Size <= side.width;
  const int64_t offset = ((plane * side.height + place.y) * side.width + place.x) * width;
  if (map.plain() && inside) {
    *step = side.width * width;
    return map.data + offset;
  }
  *step = Size * width;
  const Vector zero{};
  const Vector slope = L::broadcast(map.slope);
  if (!map.argmax) {
    for (int64_t i = 0; i < Size; i++) {
      const int64_t y = place.y + i;
      float *to = local + i * Size * width;
      const int64_t from = offset + i * side.width * width;
      if (inside) {
        for (int64_t j = 0; j < Size; j++) {
          const Vector d = L::load(map.data + from + j * width);
          const Vector sign = L::load(map.sign + from + j * width);
          L::store(to + j * width, sign > zero ? d : d * slope);
        }
        continue;
      }
      for (int64_t j = 0; j < Size; j++) {
        const int64_t x = place.x + j;
        Vector d = zero;
        if (y >= 0 && y < side.height && x >= 0 && x < side.width) {
          d = L::load(map.data + from + j * width);
          if (map.sign) d = L::load(map.sign + from + j * width) > zero ? d : d * slope;
        }
        L::store(to + j * width, d);
      }
    }
    return local;
  }
  // Each pooled pixel gives its gradient to one of four.
  const int64_t height = map.pooled_height(), pooled_width = map.pooled_width();
  const int64_t odd_y = place.y & 1, odd_x = place.x & 1;
  const int64_t first_y = (place.y - odd_y) / 2, first_x = (place.x - odd_x) / 2;
  const int64_t windows_y = (Size + odd_y + 1) / 2, windows_x = (Size + odd_x + 1) / 2;
  const bool covered = first_y >= 0 && first_x >= 0 && first_y + windows_y <= height &&
                       first_x + windows_x <= pooled_width;
  if (!covered) {
    for (int64_t i = 0; i < Size * Size; i++) L::store(local + i * width, zero);
  }
  for (int64_t i = 0; i < windows_y; i++) {
    const int64_t y = first_y + i;
    if (y < 0 || y >= height) continue;
    for (int64_t j = 0; j < windows_x; j++) {
      const int64_t x = first_x + j;
      if (x < 0 || x >= pooled_width) continue;
      const int64_t at = ((plane * height + y) * pooled_width + x) * width;
      Vector d = L::load(map.data + at);
      if (map.sign) d = L::load(map.sign + at) > zero ? d : d * slope;
      const typename L::Integers chosen = L::load_bytes(map.argmax + at);
      for (int32_t q = 0; q < 4; q++) {
        const int64_t row = 2 * i - odd_y + (q >> 1), column = 2 * j - odd_x + (q & 1);
        if (row < 0 || row >= Size || column < 0 || column >= Size) continue;
        L::store(local + (row * Size + column) * width, L::where(chosen == q, d));
      }
    }
  }
  return local;
}

// A patch of 6x6 pixels to 36 points, point p at out + p * out_step.
template <class L>
GAPCAM_ALWAYS_INLINE void transform_patch(const float *in, int64_t step, float *out,
                                          int64_t out_step) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  Vector half[6][6];  // [row of points][column of pixels]
#pragma GCC unroll 6
  for (int j = 0; j < 6; j++) {
    Vector d[6], column[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) d[i] = L::load(in + i * step + j * width);
    input_transform(d, column);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) half[i][j] = column[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) {
    Vector row[6];
    input_transform(half[i], row);
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) L::store(out + (i * 6 + j) * out_step, row[j]);
  }
}

// A tile of 4x4 gradients to 36 points; returns their sum.
template <class L>
GAPCAM_ALWAYS_INLINE typename L::Vector transform_gradients(const float *in, int64_t step,
                                                            float *out, int64_t out_step) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  Vector half[6][4];
  Vector sum{};
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    Vector g[4], column[6];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) g[i] = L::load(in + i * step + j * width);
    sum += (g[0] + g[1]) + (g[2] + g[3]);
    gradient_transform(g, column);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) half[i][j] = column[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) {
    Vector row[6];
    gradient_transform(half[i], row);
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) L::store(out + (i * 6 + j) * out_step, row[j]);
  }
  return sum;
}

}  // namespace
}  // namespace gapcam::cpu::winograd
