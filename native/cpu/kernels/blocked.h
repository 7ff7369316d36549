// Convolutions over blocks of channels, as they lie; those of small groups are in grouped.h. Part
// of kernels.cpp, which says what may be used here.
//
// A tile of some pixels of a row times some blocks of outputs stays in registers while all inputs
// under the kernel are gone through: each number of a pixel is broadcast and multiplied with a
// vector of weights for each block. Weights lie in the order in which they are read.
#pragma once

#include <omp.h>

#include "activation.h"
#include "depthwise_rows.h"
#include "elementwise.h"
#include "grouped.h"

namespace gapcam::cpu {
namespace {

// What of an image a call goes through, and where the sums begin and end.
struct BlockedPart {
  const float *input = nullptr;            // of the first block of channels, at pixel 0 and tap 0
  int64_t input_plane = 0, input_row = 0;  // floats from one block, and from one row, to the next
  int64_t blocks = 0, last_channels = 0;   // of inputs, and of the last block
  const float *weight = nullptr;           // of the group, from the first of those blocks on
  const float *bias = nullptr;             // of the group, in whole blocks
  float *output = nullptr;
  int64_t output_plane = 0;
  bool starts = true;  // from the bias; else from what `output` holds
  bool adds = false;   // starts from the sum of both
  bool ends = true;    // the activation follows
  // The weights that come next, and how many cache lines of them are fetched with each tap.
  const float *ahead = nullptr;
  int64_t lines = 0;
};

constexpr int64_t cache_line = 16;  // floats

// Inputs at a time; where a block is not full the others of a last few are zeros.
constexpr int64_t blocked_channels = 4;

// Pixels of a row that registers hold beside so many blocks of outputs; at most.
template <int64_t Block>
constexpr int blocked_pixels(int64_t vectors) {
#if defined(__AVX512F__)
  if (Block == 16) return vectors >= 4 ? 6 : vectors == 3 ? 8 : 12;
#endif
  return vectors >= 2 ? 6 : 8;
}

// Whether rows can be cut in sevens and not in eights.
bool has_sevens(const BlockedShape &s) {
  return s.output.width % 7 == 0 && s.output.width % 8 != 0;
}

// One input of each pixel times its weights.
template <int64_t Block, int Vectors, int Pixels, int Step>
inline __attribute__((always_inline)) void multiply_channel(
    const float *pixels, const float *weight,
    typename Vector<Block>::Floats (&sum)[Pixels][Vectors]) {
  using Floats = typename Vector<Block>::Floats;
  Floats w[Vectors];
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; v++) w[v] = load_block<Block>(weight + v * Block);
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; p++) {
    const Floats x = pixels[p * Step * Block] - Floats{};
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; v++) sum[p][v] += x * w[v];
  }
}

template <int64_t Block, int Vectors, int Pixels, int Step>
__attribute__((noinline)) void blocked_tile(const BlockedShape &s, const BlockedPart &part,
                                            const float *input, const Epilogue<Block> &epilogue,
                                            float *output) {
  using Floats = typename Vector<Block>::Floats;
  Floats sum[Pixels][Vectors];
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; v++) {
    const Floats first = part.starts ? load_block<Block>(part.bias + v * Block) : Floats{};
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; p++) {
      const float *held = output + v * part.output_plane + p * Block;
      sum[p][v] = part.starts && !part.adds ? first : first + load_block<Block>(held);
    }
  }
  const float *weight = part.weight, *ahead = part.ahead;
  const int64_t last = part.blocks - 1;
  for (int64_t b = 0; b <= last; b++) {
    for (int64_t kh = 0; kh < s.kernel_height; kh++) {
      const float *row = input + b * part.input_plane + kh * part.input_row;
      for (int64_t kw = 0; kw < s.kernel_width; kw++, row += Block) {
        for (int64_t line = 0; line < part.lines; line++, ahead += cache_line) {
          __builtin_prefetch(ahead, 0, 2);
        }
        const int64_t channels = b == last ? part.last_channels : Block;
        const float *w = weight;
        for (int64_t some = 0; some < channels; some += blocked_channels) {
          const float *pixels = row + some;
          // GCC would hold, in registers that there are not, what the next tap reads again.
          asm("" : "+r"(pixels));
#pragma GCC unroll 4
          for (int64_t c = 0; c < blocked_channels; c++, w += Vectors * Block) {
            multiply_channel<Block, Vectors, Pixels, Step>(pixels + c, w, sum);
          }
        }
        weight += Block * Vectors * Block;
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; v++) {
    float *to = output + v * part.output_plane;
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; p++) {
      if (part.ends) {
        epilogue.store(to + p * Block, sum[p][v]);
      } else {
        store_block<Block>(to + p * Block, sum[p][v]);
      }
    }
    if (part.ends) activate_some(s, to, Pixels * Block);
  }
}

// Pixels [begin, end) of a row, in tiles as large as registers allow; before the last, two alike;
// or all of seven.
template <int64_t Block, int Vectors, int Step>
void blocked_row(const BlockedShape &s, BlockedPart &part, const float *input, int64_t begin,
                 int64_t end, const Epilogue<Block> &epilogue, float *output) {
  constexpr int most = blocked_pixels<Block>(Vectors);
  while (begin < end) {
    const int64_t left = end - begin;
    const bool sevens = most >= 8 && has_sevens(s) && left % 7 == 0;
    const int64_t wanted = sevens                                 ? 7
                           : left <= most || 2 * left >= 3 * most ? left
                                                                  : (left + 1) / 2;
    const float *in = input + begin * Step * Block;
    float *out = output + begin * Block;
    const auto tile = [&](auto fixed) {
      constexpr int pixels = static_cast<int>(decltype(fixed)::value);
      blocked_tile<Block, Vectors, pixels, Step>(s, part, in, epilogue, out);
      begin += pixels;
      part.ahead += part.blocks * s.taps() * part.lines * cache_line;
    };
    if (wanted >= most) {
      tile(Fixed<most>{});
    } else if (most >= 8 && wanted == 7) {
      tile(Fixed<(most >= 8 ? 7 : 1)>{});
    } else if (most > 8 && wanted >= 8) {
      tile(Fixed<(most > 8 ? 8 : 1)>{});
    } else if (wanted >= 4) {
      tile(Fixed<4>{});
    } else if (wanted >= 3) {
      tile(Fixed<3>{});
    } else if (wanted >= 2) {
      tile(Fixed<2>{});
    } else {
      tile(Fixed<1>{});
    }
  }
}

template <class Body>
void with_vectors(int64_t vectors, const Body &body) {
  switch (vectors) {
    case 1:
      return body(Fixed<1>{});
#if defined(__AVX512F__)
    case 3:
      return body(Fixed<3>{});
    case 4:
      return body(Fixed<4>{});
#endif
    default:
      return body(Fixed<2>{});
  }
}

// Rows [begin, end) of one group of one image; of a map that is one row, pixels.
template <int64_t Block, int Vectors, int Step>
void blocked_group(const BlockedShape &s, BlockedPart part, int64_t begin, int64_t end,
                   const Epilogue<Block> &epilogue) {
  const int64_t all = s.input.blocks(), taps = s.taps();
  const int64_t at_once = s.blocks_at_once(Vectors);
  const BlockedPart whole = part;
  const int64_t row = s.is_flat() ? end - begin : s.output.width;
  const int64_t tiles =
      (s.is_flat() ? 1 : end - begin) * (row / blocked_pixels<Block>(Vectors) + 1);
  constexpr int64_t lines = Vectors * Block * Block / cache_line;
  for (int64_t first = 0; first < all; first += at_once) {
    part.blocks = min(at_once, all - first);
    part.last_channels = min(Block, s.input.channels - (first + part.blocks - 1) * Block);
    part.starts = first == 0;
    part.ends = first + part.blocks == all;
    part.weight = whole.weight + first * taps * Block * Vectors * Block;
    part.input = whole.input + first * part.input_plane;
    // Where pixels are few, weights come from far away: the next ones on the way meanwhile.
    part.lines = tiles <= lines ? (lines + tiles - 1) / tiles : 0;
    part.ahead = part.weight + part.blocks * taps * Block * Vectors * Block;
    if (s.is_flat()) {
      blocked_row<Block, Vectors, Step>(s, part, part.input, begin, end, epilogue, part.output);
      continue;
    }
    for (int64_t h = begin; h < end; h++) {
      blocked_row<Block, Vectors, Step>(s, part, part.input + h * s.stride_height * part.input_row,
                                        0, s.output.width, epilogue,
                                        part.output + h * s.output.width * Block);
    }
  }
}

// What a thread does: of `all` numbers of equal work as many as any other, from `begin` on.
struct BlockedShare {
  int64_t begin, end;
  BlockedShare(int64_t all, int64_t thread, int64_t threads)
      : begin(all * thread / threads), end(all * (thread + 1) / threads) {}
  // Of a segment of `count` units of work `each`, that starts at `start`, in whole `grains`.
  int64_t unit(int64_t at, int64_t start, int64_t each, int64_t count, int64_t grain) const {
    const int64_t units = at <= start ? 0 : (at - start) / each;
    return min((units + grain - 1) / grain * grain, count);
  }
};

template <int64_t Block>
void blocked_with(const BlockedShape &s, const float *x, const float *weight, const float *bias,
                  float *y, float *scratch) {
  const bool pads = s.pads(), flat = s.is_flat();
  const int64_t groups = s.groups(), height = pads ? s.padded_height() : s.input.height,
                width = pads ? s.padded_width() : s.input.width;
  const int64_t image = s.input.blocks() * s.input.pixels() * Block;
  const int64_t units = flat ? s.output.pixels() : s.output.height;
  const int64_t all = s.input.batch * s.output.blocks() * units;
  Epilogue<Block> epilogue;
  epilogue.follow(s);
#pragma omp parallel if (s.work() >= worth_threads)
  {
    const BlockedShare share(all, omp_get_thread_num(), omp_get_num_threads());
    float *padded = scratch + omp_get_thread_num() * s.padded_elements();
    int64_t start = 0;
    for (int64_t n = 0; n < s.input.batch; n++) {
      const float *input = x + n * image;
      bool ready = !pads;
      int64_t block = 0;
      for (int64_t g = 0; g < groups; g++) {
        const int64_t vectors = s.vectors_of(g);
        const int64_t grain = !flat                           ? 1
                              : has_sevens(s) && vectors == 3 ? 7
                                                              : blocked_pixels<Block>(vectors);
        const int64_t begin = share.unit(share.begin, start, vectors, units, grain);
        const int64_t end = share.unit(share.end, start, vectors, units, grain);
        if (begin < end) {
          if (!ready) {
            for (int64_t b = 0; b < s.input.blocks(); b++) {
              pad_plane<Block>(s, input + b * s.input.pixels() * Block,
                               padded + b * height * width * Block);
            }
            input = padded;
            ready = true;
          }
          alignas(64) float own[4 * lanes_max] = {};
          for (int64_t i = 0; bias && i < min(vectors * Block, s.output.channels - block * Block);
               i++) {
            own[i] = bias[block * Block + i];
          }
          BlockedPart part;
          part.input = input;
          part.input_plane = height * width * Block;
          part.input_row = width * Block;
          part.weight = weight + block * s.input.blocks() * s.taps() * Block * Block;
          part.bias = own;
          part.output_plane = s.output.pixels() * Block;
          part.output = y + (n * s.output.blocks() + block) * part.output_plane;
          part.adds = s.adds;
          with_vectors(vectors, [&](auto fixed) {
            constexpr int count = static_cast<int>(decltype(fixed)::value);
            if (s.stride_width == 1) {
              blocked_group<Block, count, 1>(s, part, begin, end, epilogue);
            } else {
              blocked_group<Block, count, 2>(s, part, begin, end, epilogue);
            }
          });
        }
        start += vectors * units;
        block += vectors;
      }
    }
  }
}

void blocked(const BlockedShape &s, const float *x, const float *weight, const float *bias,
             float *y, float *scratch) {
  if (s.group > 0) return grouped(s, x, weight, bias, y, scratch);
#if defined(__AVX512F__)
  blocked_with<16>(s, x, weight, bias, y, scratch);
#else
  blocked_with<8>(s, x, weight, bias, y, scratch);
#endif
}

// From [outputs, inputs, taps] to groups of blocks of outputs: [input block][tap][input][output].
void blocked_weight(const BlockedShape &s, const float *plain, float *transformed) {
  if (s.group > 0) return grouped_weight(s, plain, transformed);
  const int64_t block = s.input.block, taps = s.taps(), inputs = s.input.channels;
  const int64_t outputs = s.output.channels, blocks = s.input.blocks();
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t g = 0; g < s.groups(); g++) {
    for (int64_t b = 0; b < blocks; b++) {
      const int64_t vectors = s.vectors_of(g), first = s.first_block(g) * block;
      float *to = transformed + (first * blocks + b * vectors * block) * taps * block;
      for (int64_t k = 0; k < taps; k++) {
        for (int64_t c = b * block; c < (b + 1) * block; c++) {
          for (int64_t o = first; o < first + vectors * block; o++, to++) {
            if (c >= inputs || o >= outputs) {
              *to = 0.0f;
            } else if (s.backward) {
              *to = plain[(c * outputs + o) * taps + taps - 1 - k];
            } else {
              *to = plain[(o * inputs + c) * taps + k];
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gapcam::cpu
