// Forward and backward data: tiles of the source to the transformed domain, there one matrix
// product for each of 36 points, and back to tiles of the destination.
#pragma once

#include "tiles.h"

namespace gapcam::cpu::winograd {
namespace {

// Transformed tiles lie as [point][tile / rows][channel block][tile % rows][channel], so that a
// micro-kernel reads one straight line of memory.
template <class L, int Rows>
void transform_source(const Plan &plan, const Map &map, int64_t first_tile, int64_t count,
                      Range items, float *transformed) {
  constexpr int64_t width = L::width;
  alignas(64) float local[patch * patch * width];
  for (int64_t item = items.begin; item < items.end;) {
    const int64_t block = item / count, begin = item % count;
    const int64_t end = least(count, begin + items.end - item);
    Walk walk(plan, first_tile + begin, plan.padding);
    for (int64_t t = begin; t < end; t++, walk.next()) {
      int64_t step;
      const float *in = read_tile<L, patch>(map, block, walk.place(), local, &step);
      float *out =
          transformed + ((t / Rows * plan.source.blocks + block) * Rows + t % Rows) * width;
      transform_patch<L>(in, step, out, plan.source_step);
    }
    item += end - begin;
  }
}

// products[n][r] (+)= sum over `blocks` blocks of channels of tiles[r] * weight[n].
template <class L, int Rows, int Vectors>
__attribute__((noinline)) void multiply_rows(const float *tiles, int64_t tiles_step,
                                             const float *weight, int64_t blocks, float *products,
                                             int64_t products_step, bool add) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  Vector sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; n++) sum[r][n] = Vector{};
  }
  for (int64_t k = 0; k < blocks; k++) {
#pragma GCC unroll 8
    for (int c = 0; c < width; c++) {
      Vector w[Vectors];
#pragma GCC unroll 4
      for (int n = 0; n < Vectors; n++) w[n] = L::load(weight + (c * Vectors + n) * width);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; r++) {
        const Vector x = L::broadcast(tiles[r * width + c]);
#pragma GCC unroll 4
        for (int n = 0; n < Vectors; n++) sum[r][n] += x * w[n];
      }
    }
    tiles += tiles_step;
    weight += width * Vectors * width;
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; n++) {
      float *to = products + n * products_step + r * width;
      L::store(to, add ? L::load(to) + sum[r][n] : sum[r][n]);
    }
  }
}

template <class L, int Rows, int Vectors>
GAPCAM_ALWAYS_INLINE void multiply_tiles(int64_t rows, const float *tiles, int64_t tiles_step,
                                         const float *weight, int64_t blocks, float *products,
                                         int64_t products_step, bool add) {
  if constexpr (Rows > 1) {
    if (rows < Rows) {
      return multiply_tiles<L, Rows - 1, Vectors>(rows, tiles, tiles_step, weight, blocks, products,
                                                  products_step, add);
    }
  }
  multiply_rows<L, Rows, Vectors>(tiles, tiles_step, weight, blocks, products, products_step, add);
}

// The products of tiles `tiles` (counted within the transformed ones) with panels `panels` of the
// weight: [point][channel block][tile][channel].
template <class L, int Rows, int Vectors>
void multiply(const Plan &plan, const float *transformed, const float *weight, Range panels,
              Range tiles, float *products) {
  constexpr int64_t width = L::width;
  const int64_t blocks = plan.source.blocks;
  const int64_t block_step = plan.tiles_at_once * width;
  const int64_t panel_floats = points * blocks * width * Vectors * width;
  for (int64_t p = 0; p < points; p++) {
    const float *source = transformed + p * plan.source_step;
    for (int64_t first = 0; first < blocks; first += plan.chunk) {
      const int64_t count = least(plan.chunk, blocks - first);
      for (int64_t panel = panels.begin; panel < panels.end; panel++) {
        const int64_t vectors = least(Vectors, plan.destination.blocks - panel * Vectors);
        const float *w =
            weight + panel * panel_floats + (p * blocks + first) * width * vectors * width;
        float *out =
            products + p * plan.product_step + (panel - panels.begin) * Vectors * block_step;
        for (int64_t t = tiles.begin; t < tiles.end; t += Rows) {
          const float *in = source + (t / Rows * blocks + first) * Rows * width;
          float *to = out + (t - tiles.begin) * width;
          const int64_t rows = tiles.end - t;
          if (vectors == Vectors) {
            multiply_tiles<L, Rows, Vectors>(rows, in, Rows * width, w, count, to, block_step,
                                             first > 0);
          } else {
            static_assert(Vectors <= 2, "a last panel has one vector or all");
            multiply_tiles<L, Rows, 1>(rows, in, Rows * width, w, count, to, block_step, first > 0);
          }
        }
      }
    }
  }
}

// Where a forward pass or backward data writes.
struct Target {
  float *map = nullptr;
  float *pooled = nullptr;
  uint8_t *argmax = nullptr;
  const float *bias = nullptr;
  bool adds = false;
  float slope = 1.0f;
};

// The maximum of 2x2 pixels each, and which of the four it is.
template <class L>
GAPCAM_ALWAYS_INLINE void pool_tile(const Plan &plan, const typename L::Vector (&y)[4][4],
                                    const Target &target, int64_t plane, const Place &place) {
  using Vector = typename L::Vector;
  using Integers = typename L::Integers;
  constexpr int64_t width = L::width;
  const int64_t height = plan.destination.height / 2, pooled_width = plan.destination.width / 2;
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      const int64_t row = place.y / 2 + i, column = place.x / 2 + j;
      if (row >= height || column >= pooled_width) continue;
      Vector best = y[2 * i][2 * j];
      Integers which{};
#pragma GCC unroll 4
      for (int q = 1; q < 4; q++) {
        const Vector value = y[2 * i + (q >> 1)][2 * j + (q & 1)];
        // As in PyTorch, the first maximum wins and NaN is larger than everything.
        const Integers take = (value > best) | (value != value);
        best = take ? value : best;
        which = take ? Integers{} + q : which;
      }
      const int64_t at = ((plane * height + row) * pooled_width + column) * width;
      L::store(target.pooled + at, best);
      if (target.argmax) L::store_bytes(target.argmax + at, which);
    }
  }
}

// Rows `Row` and `Row + 2` of a tile's pixels, before bias and leaky ReLU.
template <class L, int Row>
GAPCAM_ALWAYS_INLINE void transform_rows(const float *in, int64_t step,
                                         typename L::Vector (&first)[4],
                                         typename L::Vector (&second)[4]) {
  using Vector = typename L::Vector;
  Vector one[6], two[6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; j++) {
    const float *m = in + j * step;
    const Vector a_plus = L::load(m + 6 * step), a_minus = L::load(m + 12 * step);
    const Vector b_plus = L::load(m + 18 * step), b_minus = L::load(m + 24 * step);
    if (Row == 0) {
      const Vector sum_a = a_plus + a_minus, sum_b = b_plus + b_minus;
      one[j] = (L::load(m) + sum_a) + sum_b;
      two[j] = a2 * sum_a + b2 * sum_b;
    } else {
      const Vector difference_a = a_plus - a_minus, difference_b = b_plus - b_minus;
      one[j] = a * difference_a + b * difference_b;
      two[j] = (L::load(m + 30 * step) + a3 * difference_a) + b3 * difference_b;
    }
  }
  output_transform(one, first);
  output_transform(two, second);
}

// With `Add` to the `columns` pixels that are there already.
template <class L, bool Add>
GAPCAM_ALWAYS_INLINE void activate(typename L::Vector (&y)[4], typename L::Vector bias,
                                   const Slope<L> &slope, const float *summand, int64_t columns) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    y[j] += bias;
    if (Add && j < columns) y[j] += L::load(summand + j * L::width);
    // The larger of the two, since 0 <= slope <= 1; in this order NaN and infinity survive.
    const typename L::Vector low = slope.below_zero(y[j]);
    y[j] = low > y[j] ? low : y[j];
  }
}

template <class L>
GAPCAM_ALWAYS_INLINE void store_row(float *to, const typename L::Vector (&y)[4], int64_t columns) {
  // No index that varies, or y would go through memory.
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    if (j < columns) L::store(to + j * L::width, y[j]);
  }
}

template <class L, bool Pool, bool Add>
void transform_products(const Plan &plan, const float *products, int64_t first_block,
                        int64_t blocks, int64_t first_tile, int64_t count, const Target &target) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  const Side &side = plan.destination;
  const Slope<L> slope(target.slope);
  const int64_t row_step = side.width * width;
  for (int64_t k = 0; k < blocks; k++) {
    const int64_t block = first_block + k;
    Vector bias{};
    if (target.bias) {
      for (int64_t c = 0; c < least(width, side.channels - block * width); c++) {
        bias[c] = target.bias[block * width + c];
      }
    }
    Walk walk(plan, first_tile, 0);
    for (int64_t t = 0; t < count; t++, walk.next()) {
      const float *in = products + (k * plan.tiles_at_once + t) * width;
      // 36 streams are more than a processor follows by itself; two tiles share a line of 64 bytes.
      if (t % (cache_line / width) == 0) {
        for (int64_t p = 0; p < points; p++) {
          __builtin_prefetch(in + cache_line + p * plan.product_step);
        }
      }
      const Place place = walk.place();
      const int64_t plane = place.image * side.blocks + block;
      const int64_t columns = least(tile, side.width - place.x);
      const int64_t rows = target.map ? least(tile, side.height - place.y) : 0;
      // Not a pixel of it is touched where the map is not wanted.
      float *to = target.map + ((plane * side.height + place.y) * side.width + place.x) * width;
      const auto finish = [&](Vector(&pixels)[4], int row) {
        float *there = to + row * row_step;
        const int64_t count = row < rows ? columns : 0;
        activate<L, Add>(pixels, bias, slope, there, count);
        if (count > 0) store_row<L>(there, pixels, count);
      };
      Vector y[4][4];
      transform_rows<L, 0>(in, plan.product_step, y[0], y[2]);
      finish(y[0], 0);
      finish(y[2], 2);
      transform_rows<L, 1>(in, plan.product_step, y[1], y[3]);
      finish(y[1], 1);
      finish(y[3], 3);
      if (Pool) pool_tile<L>(plan, y, target, plane, place);
    }
  }
}

// Multiplies and transforms back, one unit of work after the other.
template <class L, int Rows, int Vectors>
void finish_tiles(const Plan &plan, const float *transformed, const float *weight,
                  const Target &target, int64_t first_tile, Range tiles, Range panels,
                  float *products) {
  // Tiles in the inner loop: a panel of a large weight comes from memory once.
  for (int64_t p = panels.begin; p < panels.end; p += plan.panels_at_once) {
    const Range some{p, least(panels.end, p + plan.panels_at_once)};
    for (int64_t t = tiles.begin; t < tiles.end; t += plan.tiles_at_once) {
      const Range some_tiles{t, least(tiles.end, t + plan.tiles_at_once)};
      multiply<L, Rows, Vectors>(plan, transformed, weight, some, some_tiles, products);
      const int64_t first_block = some.begin * Vectors;
      const int64_t blocks = least(some.end * Vectors, plan.destination.blocks) - first_block;
      const auto transform = target.pooled ? transform_products<L, true, false>
                             : target.adds ? transform_products<L, false, true>
                                           : transform_products<L, false, false>;
      transform(plan, products, first_block, blocks, first_tile + some_tiles.begin,
                some_tiles.end - some_tiles.begin, target);
    }
  }
}

template <class L, int Rows, int Vectors>
void forward(const Plan &plan, const ConvolutionArguments &arguments) {
  const ConvolutionRequest &request = plan.request;
  Map map;
  Target target;
  map.side = plan.source;
  if (request.direction == Direction::forward) {
    map.data = arguments.input;
    target = {arguments.output, arguments.pooled,
              arguments.argmax, request.bias ? arguments.bias : nullptr,
              request.adds,     request.negative_slope};
  } else {
    map.data = arguments.d_output;
    map.sign = arguments.d_output_sign;
    map.argmax = arguments.d_argmax;
    map.slope = request.negative_slope;
    target.map = arguments.d_input;
  }
  const float *weight = static_cast<const float *>(arguments.weight);
  float *scratch = static_cast<float *>(arguments.scratch);
#pragma omp parallel num_threads(plan.threads)
  {
    const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    float *products = scratch + plan.product_offset + thread * plan.product_floats;
    const int64_t blocks = plan.source.blocks;
    if (plan.shared) {
      // Where there are fewer panels than threads, some threads share a panel's tiles.
      const int64_t teams = least(threads, plan.panels);
      const int64_t team = thread % teams, member = thread / teams;
      const int64_t members = (threads - team + teams - 1) / teams;
      for (int64_t t = 0; t < plan.tiles; t += plan.tile_block) {
        const int64_t count = least(plan.tile_block, plan.tiles - t);
        transform_source<L, Rows>(plan, map, t, count, part(blocks * count, threads, thread),
                                  scratch);
#pragma omp barrier
        const Range rows = part((count + Rows - 1) / Rows, members, member);
        const Range tiles{rows.begin * Rows, least(rows.end * Rows, count)};
        finish_tiles<L, Rows, Vectors>(plan, scratch, weight, target, t, tiles,
                                       part(plan.panels, teams, team), products);
#pragma omp barrier
      }
    } else {
      float *transformed = scratch + thread * plan.source_floats;
      const Range mine = part(plan.tiles, threads, thread);
      for (int64_t t = mine.begin; t < mine.end; t += plan.tile_block) {
        const int64_t count = least(plan.tile_block, mine.end - t);
        transform_source<L, Rows>(plan, map, t, count, {0, blocks * count}, transformed);
        finish_tiles<L, Rows, Vectors>(plan, transformed, weight, target, t, {0, count},
                                       {0, plan.panels}, products);
      }
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu::winograd
