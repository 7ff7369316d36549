// Backward filter: tiles of the input and of the gradient to the transformed domain, there 36
// matrix products that add up over the tiles, and the sums back to weights.
#pragma once

#include "tiles.h"

namespace gapcam::cpu::winograd {
namespace {

// Transformed tiles lie as [point][channel block][tile][channel].
template <class L>
void transform_inputs(const Plan &plan, const Map &map, int64_t first_tile, int64_t count,
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
      transform_patch<L>(in, step, transformed + (block * plan.tile_block + t) * width,
                         plan.source_step);
    }
    item += end - begin;
  }
}

// As transform_inputs, and adds each channel's sum to `bias`.
template <class L>
void transform_output_gradients(const Plan &plan, const Map &map, int64_t first_tile, int64_t count,
                                Range items, float *transformed, double *bias) {
  constexpr int64_t width = L::width;
  alignas(64) float local[tile * tile * width];
  for (int64_t item = items.begin; item < items.end;) {
    const int64_t block = item / count, begin = item % count;
    const int64_t end = least(count, begin + items.end - item);
    typename L::Vector sum{};
    Walk walk(plan, first_tile + begin, 0);
    for (int64_t t = begin; t < end; t++, walk.next()) {
      int64_t step;
      const float *in = read_tile<L, tile>(map, block, walk.place(), local, &step);
      transform_gradients<L>(in, step, transformed + (block * plan.tile_block + t) * width,
                             plan.destination_step, &sum);
    }
    for (int64_t c = 0; c < width; c++) bias[block * width + c] += static_cast<double>(sum[c]);
    item += end - begin;
  }
}

// sums[n][r] (+)= sum over tiles of inputs[r] * gradients[n].
template <class L, int Rows, int Vectors>
__attribute__((noinline)) void accumulate_rows(const float *inputs, const float *gradients,
                                               int64_t gradients_step, int64_t tiles, float *sums,
                                               int64_t sums_step, bool add) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  Vector sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; n++) {
      sum[r][n] = add ? L::load(sums + n * sums_step + r * width) : Vector{};
    }
  }
#pragma GCC unroll 4
  for (int64_t t = 0; t < tiles; t++) {
    Vector g[Vectors];
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; n++) g[n] = L::load(gradients + n * gradients_step + t * width);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; r++) {
      const Vector x = L::broadcast(inputs[t * width + r]);
#pragma GCC unroll 4
      for (int n = 0; n < Vectors; n++) sum[r][n] += x * g[n];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; r++) {
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; n++) L::store(sums + n * sums_step + r * width, sum[r][n]);
  }
}

// A unit of work: blocks of input channels and of output channels.
struct Unit {
  Range sources, destinations;
};

// The sums of a unit, [point][block of outputs][input][output], over `count` tiles.
template <class L, int Rows, int Vectors>
void accumulate(const Plan &plan, const float *inputs, const float *gradients, const Unit &unit,
                int64_t count, bool add, float *sums) {
  constexpr int64_t width = L::width;
  const int64_t sums_step = plan.source_unit * width * width;
  for (int64_t p = 0; p < points; p++) {
    float *of_point = sums + p * plan.sum_step;
    for (int64_t t = 0; t < count; t += filter_tiles) {
      const int64_t tiles = least(filter_tiles, count - t);
      const bool more = add || t > 0;
      for (int64_t d = unit.destinations.begin; d < unit.destinations.end;) {
        const int64_t left = unit.destinations.end - d;
        // 4 = 2 + 2: two vectors keep the multipliers busier than three and one.
        const int64_t vectors = left == Vectors + 1 && left > 2 ? left / 2 : least(left, Vectors);
        const float *g = gradients + p * plan.destination_step + (d * plan.tile_block + t) * width;
        for (int64_t s = unit.sources.begin; s < unit.sources.end; s++) {
          for (int64_t r = 0; r < width; r += Rows) {
            const float *x = inputs + p * plan.source_step + (s * plan.tile_block + t) * width + r;
            float *to = of_point + (d - unit.destinations.begin) * sums_step +
                        ((s - unit.sources.begin) * width + r) * width;
            const int64_t g_step = plan.tile_block * width;
            switch (vectors) {
              case 1:
                accumulate_rows<L, Rows, 1>(x, g, g_step, tiles, to, sums_step, more);
                break;
              case 2:
                accumulate_rows < L, Rows,
                    Vectors<2 ? 1 : 2>(x, g, g_step, tiles, to, sums_step, more);
                break;
              default:
                accumulate_rows<L, Rows, Vectors>(x, g, g_step, tiles, to, sums_step, more);
            }
          }
        }
        d += vectors;
      }
    }
  }
}

// Blocks `items` of a unit's output channels, of `copies` sums to be added first, to weights OIHW.
template <class L>
void transform_sums(const Plan &plan, const float *sums, int64_t copies, const Unit &unit,
                    Range items, float *d_weight) {
  using Vector = typename L::Vector;
  constexpr int64_t width = L::width;
  const int64_t inputs = plan.source.channels, outputs = plan.destination.channels;
  const int64_t source_blocks = unit.sources.end - unit.sources.begin;
  for (int64_t item = items.begin; item < items.end; item++) {
    const int64_t k = item / source_blocks, s = item % source_blocks;
    const int64_t first_output = (unit.destinations.begin + k) * width;
    const int64_t first_input = (unit.sources.begin + s) * width;
    alignas(64) float made[width * 9 * width];  // [input][tap][output]
    for (int64_t c = 0; c < width; c++) {
      const float *in = sums + ((k * plan.source_unit + s) * width + c) * width;
      Vector half[3][6];
      for (int j = 0; j < 6; j++) {
        Vector m[6], column[3];
        for (int i = 0; i < 6; i++) {
          const float *at = in + (i * 6 + j) * plan.sum_step;
          m[i] = L::load(at);
          for (int64_t n = 1; n < copies; n++) m[i] += L::load(at + n * plan.sum_floats);
        }
        filter_transform(m, column);
        for (int i = 0; i < 3; i++) half[i][j] = column[i];
      }
      for (int i = 0; i < 3; i++) {
        Vector row[3];
        filter_transform(half[i], row);
        for (int j = 0; j < 3; j++) L::store(made + (c * 9 + i * 3 + j) * width, row[j]);
      }
    }
    const int64_t count = least(width, inputs - first_input) * 9;
    float *to = d_weight + (first_output * inputs + first_input) * 9;
    if (count == width * 9 && first_output + width <= outputs) {
      for (int64_t o = 0; o < width; o += 8) {
        for (int64_t i = 0; i < count; i += 8) {
          transpose_eight(made + i * width + o, width, to + o * inputs * 9 + i, inputs * 9);
        }
      }
      continue;
    }
    for (int64_t o = 0; o < least(width, outputs - first_output); o++) {
      for (int64_t i = 0; i < count; i++) to[o * inputs * 9 + i] = made[i * width + o];
    }
  }
}

template <class L, int Rows, int Vectors>
void backward_filter(const Plan &plan, const ConvolutionArguments &arguments) {
  constexpr int64_t width = L::width;
  Map inputs, gradients;
  inputs.side = plan.source;
  inputs.data = arguments.input;
  gradients.side = plan.destination;
  gradients.data = arguments.d_output;
  gradients.sign = arguments.d_output_sign;
  gradients.argmax = arguments.d_argmax;
  gradients.slope = plan.request.negative_slope;
  float *scratch = static_cast<float *>(arguments.scratch);
  float *d_weight = arguments.d_weight;
  const int64_t source_blocks = plan.source.blocks, destination_blocks = plan.destination.blocks;
  const int64_t padded = destination_blocks * width;
  double *biases = reinterpret_cast<double *>(scratch + plan.bias_offset);
  float *all_sums = scratch + plan.product_offset;
  const Unit everything{{0, source_blocks}, {0, destination_blocks}};
#pragma omp parallel num_threads(plan.threads)
  {
    const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    double *bias = biases + thread * padded;
    for (int64_t i = 0; i < padded; i++) bias[i] = 0.0;
    if (plan.shared) {
      float *x = scratch, *g = scratch + plan.destination_offset;
      const Range units = part(plan.source_units * plan.destination_units, threads, thread);
      for (int64_t t = 0; t < plan.tiles; t += plan.tile_block) {
        const int64_t count = least(plan.tile_block, plan.tiles - t);
        const bool last = t + count == plan.tiles;
        transform_inputs<L>(plan, inputs, t, count, part(source_blocks * count, threads, thread),
                            x);
        transform_output_gradients<L>(plan, gradients, t, count,
                                      part(destination_blocks * count, threads, thread), g, bias);
#pragma omp barrier
        for (int64_t u = units.begin; u < units.end; u++) {
          const int64_t s = u % plan.source_units, d = u / plan.source_units;
          const Unit unit{part(source_blocks, plan.source_units, s),
                          part(destination_blocks, plan.destination_units, d)};
          float *sums = all_sums + (plan.sums_kept ? u : thread) * plan.sum_floats;
          accumulate<L, Rows, Vectors>(plan, x, g, unit, count, t > 0, sums);
          if (last) {
            const int64_t items = (unit.sources.end - unit.sources.begin) *
                                  (unit.destinations.end - unit.destinations.begin);
            transform_sums<L>(plan, sums, 1, unit, {0, items}, d_weight);
          }
        }
#pragma omp barrier
      }
    } else {
      float *x = scratch + thread * plan.source_floats;
      float *g = scratch + plan.destination_offset + thread * plan.destination_floats;
      float *sums = all_sums + thread * plan.sum_floats;
      const Range mine = part(plan.tiles, threads, thread);
      for (int64_t t = mine.begin; t < mine.end; t += plan.tile_block) {
        const int64_t count = least(plan.tile_block, mine.end - t);
        transform_inputs<L>(plan, inputs, t, count, {0, source_blocks * count}, x);
        transform_output_gradients<L>(plan, gradients, t, count, {0, destination_blocks * count}, g,
                                      bias);
        accumulate<L, Rows, Vectors>(plan, x, g, everything, count, t > mine.begin, sums);
      }
      if (mine.begin == mine.end) {
        for (int64_t i = 0; i < plan.sum_floats; i++) sums[i] = 0.0f;
      }
#pragma omp barrier
      transform_sums<L>(plan, all_sums, threads, everything,
                        part(source_blocks * destination_blocks, threads, thread), d_weight);
    }
#pragma omp barrier
#pragma omp master
    if (arguments.d_bias) {
      for (int64_t c = 0; c < plan.destination.channels; c++) {
        double sum = 0.0;
        for (int64_t n = 0; n < threads; n++) sum += biases[n * padded + c];
        arguments.d_bias[c] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu::winograd
