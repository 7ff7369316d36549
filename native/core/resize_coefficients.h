// Pillow's coefficients for one direction of a resize.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "elementwise.h"

namespace gapcam {

// For output pixel i, weights[i * taps + t] times input pixel first[i] + t, for t < count[i]. All
// empty where the size stays.
struct ResizeCoefficients {
  std::vector<int32_t> first, count, weights;
  int64_t taps = 1, input, output;

  ResizeCoefficients(int64_t from, int64_t to) : input(from), output(to) {
    if (from == to) return;
    std::vector<ResizeWindow> windows;
    for (int64_t i = 0; i < to; i++) {
      windows.push_back(
          resize_window(static_cast<int>(i), static_cast<int>(from), static_cast<int>(to)));
      taps = std::max<int64_t>(taps, windows.back().count);
    }
    weights.assign(static_cast<size_t>(to * taps), 0);
    for (size_t i = 0; i < windows.size(); i++) {
      const ResizeWindow &window = windows[i];
      double sum = 0.0;
      for (int t = 0; t < window.count; t++) sum += resize_weight(window, t);
      for (int t = 0; t < window.count; t++) {
        const double weight = resize_weight(window, t);
        weights[i * static_cast<size_t>(taps) + static_cast<size_t>(t)] =
            resize_fixed_point(sum != 0.0 ? weight / sum : weight);
      }
      first.push_back(window.first);
      count.push_back(window.count);
    }
  }
};

// [channels, 256]: what each 8-bit value becomes.
inline std::vector<float> normalised_levels(const std::vector<float> &mean,
                                            const std::vector<float> &deviation) {
  std::vector<float> levels;
  for (size_t c = 0; c < mean.size(); c++) {
    for (int level = 0; level < 256; level++) {
      levels.push_back(normalise_pixel(static_cast<unsigned char>(level), mean[c], deviation[c]));
    }
  }
  return levels;
}

}  // namespace gapcam
