#include "plan.h"

#include <algorithm>
#ifdef GAPCAM_TUNE
#include <cstdlib>
#endif

namespace gapcam::cpu::winograd {

namespace {

#ifdef GAPCAM_TUNE
int64_t knob(const char *name, int64_t normal) {
  const char *text = std::getenv(name);
  return text ? std::atoll(text) : normal;
}
#else
#define knob(name, normal) (normal)
#endif

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
  const int64_t tile_bytes = points * padded * 4;
  const int64_t each = divide_up(plan.tiles, plan.threads);
  // A weight that stays in the shared cache can be read anew for few tiles; a larger one comes from
  // memory, and is worth reading only for many.
  plan.shared =
      plan.threads > 1 && (plan.weight_floats * 4 > knob("GW_SHARE", 3 << 20) || each < 4 * rows);
  const int64_t most = plan.weight_floats * 4 > knob("GW_SHARE", 3 << 20)
                           ? knob("GW_FAR", 4 << 20) / tile_bytes
                           : knob("GW_NEAR", 320 << 10) / tile_bytes;
  plan.tile_block = equal_blocks(plan.shared ? plan.tiles : each, most, rows);
  const int64_t budget =
      std::max(knob("GW_PRODUCT", 200 << 10) / (points * tuning.vectors * width * 4) / rows,
               int64_t{1}) *
      rows;
  plan.tiles_at_once = std::min(plan.tile_block, budget);
  plan.panels_at_once = std::min(plan.panels, std::max(int64_t{1}, budget / plan.tiles_at_once));
  plan.chunk = std::max(int64_t{1}, knob("GW_CHUNK", 256) / width);
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
  plan.shared = sums_bytes > knob("GF_SHARE", 3 << 20);
  if (plan.shared) {
    plan.tile_block = equal_blocks(plan.tiles, knob("GF_FAR", 64 << 20) / tile_bytes, 1);
    plan.source_units =
        divide_up(plan.source.blocks, std::max(int64_t{1}, knob("GF_SU", 128) / width));
    plan.destination_units =
        divide_up(plan.destination.blocks, std::max(int64_t{1}, knob("GF_DU", 64) / width));
    plan.sums_kept = plan.tile_block < plan.tiles;
  } else {
    plan.tile_block =
        equal_blocks(each, std::max(knob("GF_NEAR", 600 << 10) / tile_bytes, int64_t{32}), 1);
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
