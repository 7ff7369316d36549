// Batch normalisation. Part of kernels.cpp, which says what may be used here.
#pragma once

#include <omp.h>

#include "norm_lanes.h"

namespace gapcam::cpu {
namespace {

// Calls first(plane) for each plane, middle(first channel, last channel + 1), and last(plane).
// Block of channels by block, so that last() finds near what first() has read, where there are
// enough of them for all threads and `together` says that middle() needs no other channels.
template <class First, class Middle, class Last>
void in_stages(const MapShape &s, bool together, const First &first, const Middle &middle,
               const Last &last) {
  const int64_t blocks = s.blocks(), planes = s.batch * blocks, threads = omp_get_max_threads();
  const bool parallel = s.elements() >= worth_threads;
  if (together && (!parallel || blocks % threads == 0 || blocks >= 4 * threads)) {
#pragma omp parallel for schedule(static) if (parallel)
    for (int64_t q = 0; q < blocks; q++) {
      for (int64_t plane = q; plane < planes; plane += blocks) first(plane);
      middle(q * s.block, (q + 1) * s.block);
      // The last of them are the nearest.
      for (int64_t plane = planes - blocks + q; plane >= 0; plane -= blocks) last(plane);
    }
    return;
  }
#pragma omp parallel for schedule(static) if (parallel)
  for (int64_t plane = 0; plane < planes; plane++) first(plane);
  middle(0, blocks * s.block);
#pragma omp parallel for schedule(static) if (parallel)
  for (int64_t plane = 0; plane < planes; plane++) last(plane);
}

// What body(offset, channel, first, second) adds to two sums over a plane: rows in f32, the plane
// in f64. partial[plane * block + lane], the second sums behind all the first.
template <class Fixed, class Body>
void sum_plane(const MapShape &s, Fixed fixed, int64_t plane, double *partial, const Body &body) {
  const int64_t block = fixed.value ? fixed.value : s.block;
  const int64_t blocks = s.blocks();
  double *partial_second = partial + s.batch * blocks * block;
  for (int64_t c = 0; c < block; c += fixed.value ? fixed.value : lanes_max) {
    const int64_t lanes = fixed.value ? fixed.value : min(lanes_max, block - c);
    const int64_t channel = plane % blocks * block + c;
    double first[lanes_max] = {}, second[lanes_max] = {};
    for (int64_t i = 0; i < s.height; i++) {
      int64_t at = (plane * s.height + i) * s.width * block + c;
      float row_first[lanes_max] = {}, row_second[lanes_max] = {};
      for (int64_t j = 0; j < s.width; j++, at += block) {
#pragma omp simd
        for (int64_t l = 0; l < lanes; l++) {
          body(at + l, channel + l, row_first[l], row_second[l]);
        }
      }
      for (int64_t l = 0; l < lanes; l++) {
        first[l] += row_first[l];
        second[l] += row_second[l];
      }
    }
    for (int64_t l = 0; l < lanes; l++) {
      partial[plane * block + c + l] = first[l];
      partial_second[plane * block + c + l] = second[l];
    }
  }
}

// Of channels first to end: total[channel] = sum over images of partial, and the second ones
// behind.
void sum_images(const MapShape &s, const double *partial, int64_t first, int64_t end,
                double *total) {
  const int64_t padded = s.blocks() * s.block;
  for (int64_t which = 0; which < 2; which++, partial += s.batch * padded, total += padded) {
    for (int64_t c = first; c < end; c++) total[c] = 0.0;
    for (int64_t n = 0; n < s.batch; n++) {
      for (int64_t c = first; c < end; c++) total[c] += partial[n * padded + c];
    }
  }
}

// y = body(offset, channel) for every element of a plane.
template <class Fixed, class Body>
void map_plane(const MapShape &s, Fixed fixed, int64_t plane, float *y, const Body &body) {
  const int64_t block = fixed.value ? fixed.value : s.block;
  const int64_t blocks = s.blocks();
  for (int64_t i = 0; i < s.height; i++) {
    for (int64_t c = 0; c < block; c += fixed.value ? fixed.value : lanes_max) {
      const int64_t lanes = fixed.value ? fixed.value : min(lanes_max, block - c);
      const int64_t channel = plane % blocks * block + c;
      int64_t at = (plane * s.height + i) * s.width * block + c;
      for (int64_t j = 0; j < s.width; j++, at += block) {
#pragma omp simd
        for (int64_t l = 0; l < lanes; l++) y[at + l] = body(at + l, channel + l);
      }
    }
  }
}

// Pixels whose moments are taken at once: twice through them while they are in the nearest cache.
constexpr int64_t moment_pixels = 128;

// Of `count` pixels of `lanes` channels, `step` apart: about the mean, and the sums of the
// distances from it and of their squares.
template <int64_t Block>
void sum_distances(const float *x, int64_t step, int64_t lanes, int64_t count, float *middle,
                   float *sum, float *squares) {
  const float part = 1.0f / static_cast<float>(count);
  if constexpr (Block == 8 || Block == 16) {
    using Floats = typename Vector<Block>::Floats;
    const auto *pixels = reinterpret_cast<const Floats *>(x);
    // Four sums at a time, or each addition would wait for the one before.
    constexpr int64_t ways = 4;
    const int64_t even = count / ways * ways;
    Floats sums[ways] = {}, more[ways] = {};
    for (int64_t j = 0; j < even; j += ways) {
#pragma GCC unroll 4
      for (int64_t k = 0; k < ways; k++) sums[k] += pixels[j + k];
    }
    for (int64_t j = even; j < count; j++) sums[0] += pixels[j];
    const Floats mean = ((sums[0] + sums[1]) + (sums[2] + sums[3])) * part;
#pragma GCC unroll 4
    for (int64_t k = 0; k < ways; k++) sums[k] = Floats{};
    for (int64_t j = 0; j < even; j += ways) {
#pragma GCC unroll 4
      for (int64_t k = 0; k < ways; k++) {
        const Floats d = pixels[j + k] - mean;
        sums[k] += d;
        more[k] += d * d;
      }
    }
    for (int64_t j = even; j < count; j++) {
      const Floats d = pixels[j] - mean;
      sums[0] += d;
      more[0] += d * d;
    }
    *reinterpret_cast<Floats *>(middle) = mean;
    *reinterpret_cast<Floats *>(sum) = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    *reinterpret_cast<Floats *>(squares) = (more[0] + more[1]) + (more[2] + more[3]);
  } else {
    for (int64_t l = 0; l < lanes; l++) {
      float total = 0.0f, distances = 0.0f, more = 0.0f;
#pragma omp simd reduction(+ : total)
      for (int64_t j = 0; j < count; j++) total += x[j * step + l];
      const float mean = total * part;
#pragma omp simd reduction(+ : distances, more)
      for (int64_t j = 0; j < count; j++) {
        const float d = x[j * step + l] - mean;
        distances += d;
        more += d * d;
      }
      middle[l] = mean;
      sum[l] = distances;
      squares[l] = more;
    }
  }
}

// Means and sums of squared deviations of `count` values, to which those of `more` values are added
// (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983): no outlier, and
// nothing else that a single shift would be taken from, costs digits.
void add_moments(double &mean, double &squares, double count, double more_mean, double more_squares,
                 double more) {
  const double distance = more_mean - mean;
  const double part = more / (count + more);
  mean += distance * part;
  squares += more_squares + distance * distance * count * part;
}

// A plane's mean, and behind those of all planes its sum of squared deviations; as sum_plane.
template <class Fixed>
void plane_moments(const MapShape &s, Fixed fixed, int64_t plane, const float *x, double *partial) {
  const int64_t block = fixed.value ? fixed.value : s.block;
  const int64_t planes = s.batch * s.blocks(), pixels = s.pixels();
  for (int64_t c = 0; c < block; c += fixed.value ? fixed.value : lanes_max) {
    const int64_t lanes = fixed.value ? fixed.value : min(lanes_max, block - c);
    double mean[lanes_max] = {}, squares[lanes_max] = {};
    for (int64_t first = 0; first < pixels; first += moment_pixels) {
      const int64_t count = min(moment_pixels, pixels - first);
      alignas(64) float middle[lanes_max], sum[lanes_max], more[lanes_max];
      sum_distances<Fixed::value>(x + (plane * pixels + first) * block + c, block, lanes, count,
                                  middle, sum, more);
      for (int64_t l = 0; l < lanes; l++) {
        const double rest = static_cast<double>(sum[l]) / static_cast<double>(count);
        add_moments(mean[l], squares[l], static_cast<double>(first), middle[l] + rest,
                    more[l] - sum[l] * rest, static_cast<double>(count));
      }
    }
    for (int64_t l = 0; l < lanes; l++) {
      partial[plane * block + c + l] = mean[l];
      partial[(planes + plane) * block + c + l] = squares[l];
    }
  }
}

// Of channels first to end: each one's mean, and behind all of them its sum of squared deviations,
// from plane_moments.
void image_moments(const MapShape &s, const double *partial, int64_t first, int64_t end,
                   double *total) {
  const int64_t padded = s.blocks() * s.block;
  const auto pixels = static_cast<double>(s.pixels());
  for (int64_t c = first; c < end; c++) {
    double mean = 0.0, squares = 0.0;
    for (int64_t n = 0; n < s.batch; n++) {
      add_moments(mean, squares, static_cast<double>(n) * pixels, partial[n * padded + c],
                  partial[(s.batch + n) * padded + c], pixels);
    }
    total[c] = mean;
    // Rounding may leave less than nothing of values that are all alike.
    total[padded + c] = squares < 0.0 ? 0.0 : squares;
  }
}

void batch_norm(const NormShape &shape, const float *x, const float *weight, const float *bias,
                float *running_mean, float *running_variance, const float *added, float *y,
                float *saved, double *scratch) {
  const MapShape &s = shape.map;
  const int64_t padded = s.blocks() * s.block;
  const auto own_count = static_cast<double>(s.batch * s.pixels());
  float *mean = saved, *inverse = saved + padded;
  double *partial = scratch, *total = scratch + 2 * s.batch * padded;
  // What the last pass multiplies and adds; 0 in the padding.
  float *factor = reinterpret_cast<float *>(total + 2 * padded);
  float *shift = factor + padded;
  const auto statistics = [&](int64_t first, int64_t end) {
    double count = own_count;
    if (shape.training) {
      image_moments(s, partial, first, end, total);
      if (shape.exchange.moments) {
        shape.exchange.moments(shape.exchange.context, total, padded, &count);
      }
    }
    for (int64_t c = first; c < end; c++) {
      mean[c] = inverse[c] = factor[c] = shift[c] = 0.0f;
      if (c >= s.channels) continue;
      if (shape.training) {
        mean[c] = static_cast<float>(total[c]);
        const double squares = total[padded + c];
        inverse[c] = static_cast<float>(1.0 / __builtin_sqrt(squares / count + shape.epsilon));
        running_mean[c] += shape.momentum * (mean[c] - running_mean[c]);
        const float unbiased = static_cast<float>(squares / (count - 1.0));
        running_variance[c] += shape.momentum * (unbiased - running_variance[c]);
      } else {
        mean[c] = running_mean[c];
        inverse[c] = static_cast<float>(
            1.0 / __builtin_sqrt(static_cast<double>(running_variance[c]) + shape.epsilon));
      }
      factor[c] = weight[c] * inverse[c];
      shift[c] = bias[c];
    }
  };
  const NormLines lines{mean, factor, shift, nullptr, nullptr};
  with_block(s.block, [&](auto fixed) {
    with_norm_activation(shape, [&](const auto &after) {
      in_stages(
          s, !shape.exchange.moments,
          [&](int64_t plane) {
            if (shape.training) plane_moments(s, fixed, plane, x, partial);
          },
          statistics,
          [&](int64_t plane) {
            if constexpr (fixed.value == 8 || fixed.value == 16) {
              normalise_plane<fixed.value>(s, plane, lines, after, x, added, y);
            } else {
              map_plane(s, fixed, plane, y, [=](int64_t at, int64_t c) {
                const float z = (x[at] - mean[c]) * factor[c] + shift[c];
                return after.made(added ? z + added[at] : z);
              });
            }
          });
    });
  });
}

void batch_norm_backward(const NormShape &shape, const float *x, const float *weight,
                         const float *bias, const float *saved, const float *d_y, float *d_x,
                         float *d_weight, float *d_bias, double *scratch) {
  const MapShape &s = shape.map;
  const int64_t padded = s.blocks() * s.block;
  const auto own_count = static_cast<double>(s.batch * s.pixels());
  const float *mean = saved, *inverse = saved + padded;
  double *partial = scratch, *total = scratch + 2 * s.batch * padded;
  float *factor = reinterpret_cast<float *>(total + 2 * padded);
  float *shift = factor + padded;
  float *mean_gradient = shift + padded;
  float *mean_product = mean_gradient + padded;
  for (int64_t c = 0; c < padded; c++) {
    factor[c] = c < s.channels ? weight[c] * inverse[c] : 0.0f;
    shift[c] = c < s.channels ? bias[c] : 0.0f;
  }
  const auto sums = [&](int64_t first, int64_t end) {
    double count = own_count;
    sum_images(s, partial, first, end, total);
    // Of this rank, as all gradients of parameters are.
    for (int64_t c = first; c < min(end, s.channels); c++) {
      if (d_bias) d_bias[c] = static_cast<float>(total[c]);
      if (d_weight) d_weight[c] = static_cast<float>(total[padded + c] * inverse[c]);
    }
    if (shape.exchange.sums) {
      shape.exchange.sums(shape.exchange.context, total, 2 * padded, &count);
    }
    for (int64_t c = first; c < end; c++) {
      const double product = total[padded + c] * inverse[c];
      // Fixed statistics do not move with the map.
      mean_gradient[c] = shape.training ? static_cast<float>(total[c] / count) : 0.0f;
      mean_product[c] = shape.training ? static_cast<float>(product / count * inverse[c]) : 0.0f;
    }
  };
  const NormLines lines{mean, factor, shift, mean_gradient, mean_product};
  with_block(s.block, [&](auto fixed) {
    with_norm_activation(shape, [&](const auto &after) {
      // The gradient before the activation, of which what it took is computed as forward did.
      const auto gradient = [=](int64_t at, int64_t c) {
        return after.gradient((x[at] - mean[c]) * factor[c] + shift[c], d_y[at]);
      };
      in_stages(
          s, !shape.exchange.sums,
          [&](int64_t plane) {
            if constexpr (fixed.value == 8 || fixed.value == 16) {
              sum_gradients<fixed.value>(s, plane, lines, after, x, d_y, partial);
            } else {
              sum_plane(s, fixed, plane, partial,
                        [=](int64_t at, int64_t c, float &sum, float &products) {
                          const float g = gradient(at, c);
                          sum += g;
                          products += g * (x[at] - mean[c]);
                        });
            }
          },
          sums,
          [&](int64_t plane) {
            if (!d_x) return;
            if constexpr (fixed.value == 8 || fixed.value == 16) {
              differentiate_plane<fixed.value>(s, plane, lines, after, x, d_y, d_x);
            } else {
              map_plane(s, fixed, plane, d_x, [=](int64_t at, int64_t c) {
                return factor[c] *
                       (gradient(at, c) - mean_gradient[c] - (x[at] - mean[c]) * mean_product[c]);
              });
            }
          });
    });
  });
}

}  // namespace
}  // namespace gapcam::cpu
