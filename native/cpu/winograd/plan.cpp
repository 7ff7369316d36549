#include "plan.h"

#include <algorithm>

namespace gapcam::cpu::winograd {

namespace {

// Bytes, found by timing VGG's layers on a machine with 512 KB of second-level cache a core; none
// matters by more than a few percent when halved or doubled.
// A weight or sums up to this size stay in the shared cache, and each thread has tiles of its own.
constexpr int64_t near_bytes = 3 << 20;
constexpr int64_t near_source_bytes = 320 << 10;  // then: transformed tiles, of one thread
constexpr int64_t far_source_bytes = 4 << 20;     // else: transformed tiles, of all threads
constexpr int64_t product_bytes = 96 << 10;  // of a unit of work, before it is transformed back
constexpr int64_t near_filter_bytes = 600 << 10;  // as the sources, input and gradient together
constexpr int64_t far_filter_bytes = 32 << 20;
constexpr int64_t streamed_bytes = 16 << 20;  // from here on, a weight is written past the caches
// Channels.
constexpr int64_t chunk_channels = 256;
constexpr int64_t source_unit_channels = 128, destination_unit_channels = 64;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

// At least `floats`, and an odd number of cache lines.
int64_t odd_lines(int64_t floats) { return (divide_up(floats, cache_line) | 1) * cache_line; }

// The fewest equal blocks of at most `most` (but at least `rows`) tiles each.
int64_t equal_blocks(int64_t tiles, int64_t most, int64_t rows) {
  most = std::max(most / rows, int64_t{1}) * rows;
  return round_up(divide_up(tiles, divide_up(tiles, most)), rows);
}

Side side(int64_t channels, int64_t height, int64_t width, int64_t block) {
  return {channels, divide_up(channels, block), height, width};
}

void plan_products(Plan &plan) {
  const Tuning &tuning = plan.tuning;
  const int64_t rows = tuning.rows, width = tuning.block;
  const int64_t padded = plan.source.blocks * width;
  plan.panels = divide_up(plan.destination.blocks, tuning.vectors);
  plan.weight_floats = points * padded * plan.destination.blocks * width;
  plan.weight_streamed = plan.weight_floats * 4 >= streamed_bytes;
  const int64_t tile_bytes = points * padded * 4;
  const int64_t each = divide_up(plan.tiles, plan.threads);
  // A weight that stays in the shared cache can be read anew for few tiles; a larger one comes from
  // memory, and is worth reading only for many.
  plan.shared = plan.threads > 1 && (plan.weight_floats * 4 > near_bytes || each < 4 * rows);
  const int64_t most = plan.weight_floats * 4 > near_bytes ? far_source_bytes / tile_bytes
                                                           : near_source_bytes / tile_bytes;
  plan.tile_block = equal_blocks(plan.shared ? plan.tiles : each, most, rows);
  const int64_t budget =
      std::max(product_bytes / (points * tuning.vectors * width * 4) / rows, int64_t{1}) * rows;
  plan.tiles_at_once = std::min(plan.tile_block, budget);
  plan.panels_at_once = std::min(plan.panels, std::max(int64_t{1}, budget / plan.tiles_at_once));
  plan.chunk = std::max(int64_t{1}, chunk_channels / width);
  plan.product_step = odd_lines(plan.panels_at_once * tuning.vectors * plan.tiles_at_once * width);
  plan.product_floats = points * plan.product_step;
  plan.source_step = odd_lines(plan.tile_block * padded);
  plan.source_floats = points * plan.source_step;
  plan.product_offset = (plan.shared ? 1 : plan.threads) * plan.source_floats;
  plan.scratch_floats = plan.product_offset + plan.threads * plan.product_floats;
}

void plan_sums(Plan &plan) {
  const Tuning &tuning = plan.tuning;
  const int64_t width = tuning.block;
  const int64_t inputs = plan.source.blocks * width, outputs = plan.destination.blocks * width;
  const int64_t sums_bytes = points * inputs * outputs * 4;
  const int64_t tile_bytes = points * (inputs + outputs) * 4;
  const int64_t each = divide_up(plan.tiles, plan.threads);
  plan.shared = sums_bytes > near_bytes;
  if (plan.shared) {
    plan.tile_block = equal_blocks(plan.tiles, far_filter_bytes / tile_bytes, 1);
    plan.source_units =
        divide_up(plan.source.blocks, std::max(int64_t{1}, source_unit_channels / width));
    plan.destination_units =
        divide_up(plan.destination.blocks, std::max(int64_t{1}, destination_unit_channels / width));
    plan.sums_kept = plan.tile_block < plan.tiles;
  } else {
    plan.tile_block = equal_blocks(each, std::max(near_filter_bytes / tile_bytes, int64_t{32}), 1);
    plan.source_units = plan.destination_units = 1;
  }
  plan.source_unit = divide_up(plan.source.blocks, plan.source_units);
  plan.destination_unit = divide_up(plan.destination.blocks, plan.destination_units);
  plan.sum_step = odd_lines(plan.source_unit * plan.destination_unit * width * width);
  plan.sum_floats = points * plan.sum_step;
  plan.source_step = odd_lines(plan.tile_block * inputs);
  plan.source_floats = points * plan.source_step;
  plan.destination_step = odd_lines(plan.tile_block * outputs);
  plan.destination_floats = points * plan.destination_step;
  const int64_t copies = plan.shared ? 1 : plan.threads;
  plan.destination_offset = copies * plan.source_floats;
  plan.product_offset = plan.destination_offset + copies * plan.destination_floats;
  const int64_t sums =
      plan.sums_kept ? plan.source_units * plan.destination_units : int64_t{plan.threads};
  plan.bias_offset = plan.product_offset + sums * plan.sum_floats;
  plan.scratch_floats = plan.bias_offset + 2 * plan.threads * outputs;
}

}  // namespace

Plan make_plan(const ConvolutionRequest &request, const Tuning &tuning) {
  const ConvolutionShape &s = request.shape;
  Plan plan;
  plan.request = request;
  plan.tuning = tuning;
  plan.threads = std::max(request.threads, 1);
  const Side input = side(s.inputs, s.height, s.width, tuning.block);
  const Side output = side(s.outputs, s.output_height, s.output_width, tuning.block);
  const bool backward = request.direction == Direction::backward_data;
  plan.source = backward ? output : input;
  plan.destination = backward ? input : output;
  plan.padding = backward ? 2 - s.padding_height : s.padding_height;
  const Side &tiled = plan.destination;
  plan.tiles_y = divide_up(tiled.height, tile);
  plan.tiles_x = divide_up(tiled.width, tile);
  plan.tiles = s.batch * plan.tiles_y * plan.tiles_x;
  if (request.direction == Direction::backward_filter) {
    plan_sums(plan);
  } else {
    plan_products(plan);
  }
  return plan;
}

}  // namespace gapcam::cpu::winograd
