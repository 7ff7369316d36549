// How a feature map [N, C, H, W] lies in memory on the CPU.
#pragma once

#include <cstdint>

#include "graph.h"

namespace gapcam::cpu {

// Channels in blocks: element (n, c, h, w) is at
//   (((n * blocks + c / block) * H + h) * W + w) * block + c % block.
// block 1 is NCHW, 8 and 16 are oneDNN's nChw8c and nChw16c, and block C is NHWC. Channels beyond
// C in the last block are zero, always: whoever writes a map writes them.
struct Layout {
  int64_t block = 1;

  int64_t blocks(int64_t channels) const { return (channels + block - 1) / block; }
  int64_t padded_channels(int64_t channels) const { return blocks(channels) * block; }
  bool operator==(const Layout &other) const { return block == other.block; }
  bool operator!=(const Layout &other) const { return block != other.block; }
};

// Elements that a map of this shape occupies, padding included. Shapes that are not of rank 4 have
// no channels to block.
inline int64_t map_elements(const Shape &shape, Layout layout) {
  if (shape.size() != 4) return element_count(shape);
  return shape[0] * layout.padded_channels(shape[1]) * shape[2] * shape[3];
}

}  // namespace gapcam::cpu
