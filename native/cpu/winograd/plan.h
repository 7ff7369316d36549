// How one Winograd convolution is cut into pieces that fit the caches, and what each instruction
// set offers to run it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "convolution.h"

namespace gapcam::cpu::winograd {

constexpr int64_t tile = 4;            // output pixels of a tile, in each direction
constexpr int64_t patch = 6;           // input pixels of a tile, in each direction
constexpr int64_t points = 36;         // of the transformed domain
constexpr int64_t cache_line = 16;     // floats; strides between points are odd multiples of it,
                                       // or all points of a tile would fall into one cache set
constexpr int64_t maximum_rows = 16;   // of any micro-kernel
constexpr int64_t filter_tiles = 128;  // tiles that one micro-kernel of backward_filter adds up

// One side of the convolution, in channel blocks.
struct Side {
  int64_t channels = 1, blocks = 1, height = 1, width = 1;
};

// The sizes of one micro-kernel.
struct Tuning {
  int64_t block;           // channels of a vector
  int64_t rows;            // forward: tiles of a micro-kernel
  int64_t vectors;         // forward: its vectors of output channels
  int64_t filter_rows;     // backward_filter: input channels of a micro-kernel
  int64_t filter_vectors;  // backward_filter: its vectors of output channels
};

struct Plan {
  ConvolutionRequest request;
  Tuning tuning{};
  // What is read in patches of 6x6 and what tiles of 4x4 cover: input and output for forward and
  // backward_filter, the other way round for backward_data.
  Side source, destination;
  int64_t padding = 0;
  int64_t tiles_y = 0, tiles_x = 0, tiles = 0;
  int threads = 1;

  // Threads work on the same tiles, each on its own channels (few tiles, many channels), or each
  // on its own tiles with all channels.
  bool shared = false;
  int64_t tile_block = 0;  // tiles transformed at a time, a multiple of tuning.rows

  // forward, backward_data
  int64_t panels = 0;          // of tuning.vectors blocks of destination channels
  int64_t panels_at_once = 1;  // that one unit of work multiplies before it is transformed back
  int64_t tiles_at_once = 0;   // of a unit of work
  int64_t chunk = 0;           // blocks of source channels added up in registers
  int64_t product_step = 0;    // floats between points of a unit's products

  // backward_filter: a unit of work is source_unit x destination_unit blocks of channels.
  int64_t source_unit = 0, destination_unit = 0;
  int64_t source_units = 0, destination_units = 0;
  int64_t sum_step = 0;    // floats between points of a unit's sums
  int64_t sum_floats = 0;  // of a unit's sums
  bool sums_kept = false;  // sums of all units are kept from one block of tiles to the next

  int64_t source_step = 0, destination_step = 0;  // floats between points of transformed tiles

  // Floats from the start of scratch.
  int64_t destination_offset = 0, product_offset = 0, bias_offset = 0;
  int64_t source_floats = 0, destination_floats = 0, product_floats = 0;  // of one thread
  int64_t scratch_floats = 0;
  int64_t weight_floats = 0;
  bool weight_streamed = false;  // it is larger than the caches: written past them
};

// All of these run on plan.threads threads.
struct Table {
  const char *name;
  Tuning tuning;
  void (*transform_weight)(const Plan &plan, const float *plain, float *transformed);
  void (*forward)(const Plan &plan, const ConvolutionArguments &arguments);  // and backward_data
  void (*backward_filter)(const Plan &plan, const ConvolutionArguments &arguments);
};

// Null where this machine, or this build, does not have it. `name` is "avx512", "avx2" or
// "generic".
const Table *find_table(const char *name, int64_t block);

Plan make_plan(const ConvolutionRequest &request, const Tuning &tuning);

// As create_winograd_convolution, by the kernels named.
std::unique_ptr<Convolution> create(const ConvolutionRequest &request, const Table *table);

}  // namespace gapcam::cpu::winograd
