// Batch normalisation. Part of kernels.cpp, which says what may be used here.
#pragma once

#include "blocks.h"
#include "elementwise.h"

namespace gapcam::cpu {
namespace {

// What body(offset, channel, first, second) adds to two sums, over each plane: rows in f32, planes
// in f64. partial[plane * block + lane], the second sums behind all the first.
template <class Fixed, class Body>
void sum_planes(const MapShape &s, Fixed fixed, double *partial, const Body &body) {
  const int64_t block = fixed.value ? fixed.value : s.block;
  const int64_t blocks = s.blocks();
  double *partial_second = partial + s.batch * blocks * block;
#pragma omp parallel for schedule(static) if (s.elements() >= worth_threads)
  for (int64_t plane = 0; plane < s.batch * blocks; plane++) {
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
}

// total[channel] = sum over images of partial, and the second ones behind.
void sum_images(const MapShape &s, const double *partial, double *total) {
  const int64_t padded = s.blocks() * s.block;
  for (int64_t which = 0; which < 2; which++, partial += s.batch * padded, total += padded) {
    for (int64_t c = 0; c < padded; c++) total[c] = 0.0;
    for (int64_t n = 0; n < s.batch; n++) {
      for (int64_t c = 0; c < padded; c++) total[c] += partial[n * padded + c];
    }
  }
}

// y = body(offset, channel) for every element.
template <class Fixed, class Body>
void map_planes(const MapShape &s, Fixed fixed, float *y, const Body &body) {
  const int64_t block = fixed.value ? fixed.value : s.block;
  const int64_t blocks = s.blocks();
#pragma omp parallel for collapse(2) schedule(static) if (s.elements() >= worth_threads)
  for (int64_t plane = 0; plane < s.batch * blocks; plane++) {
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
}

void batch_norm(const NormShape &shape, const float *x, const float *weight, const float *bias,
                float *running_mean, float *running_variance, float *y, float *saved,
                double *scratch) {
  const MapShape &s = shape.map;
  const int64_t padded = s.blocks() * s.block;
  const double count = static_cast<double>(s.batch * s.pixels());
  float *mean = saved, *inverse = saved + padded;
  double *partial = scratch, *total = scratch + 2 * s.batch * padded;
  // What the last pass multiplies and adds; 0 in the padding.
  float *factor = reinterpret_cast<float *>(total + 2 * padded);
  float *shift = factor + padded;
  with_block(s.block, [&](auto fixed) {
    if (shape.training) {
      // In one pass: sums of distances from each channel's first pixel and of their squares. A
      // value of the channel itself is near enough to the mean for the difference to be exact.
      for (int64_t c = 0; c < padded; c++) {
        shift[c] = x[c / s.block * s.pixels() * s.block + c % s.block];
      }
      sum_planes(s, fixed, partial, [=](int64_t at, int64_t c, float &sum, float &squares) {
        const float d = x[at] - shift[c];
        sum += d;
        squares += d * d;
      });
      sum_images(s, partial, total);
      for (int64_t c = 0; c < s.channels; c++) {
        const double distance = total[c] / count;
        mean[c] = static_cast<float>(shift[c] + distance);
        const double squares = max_f64(total[padded + c] - distance * total[c], 0.0);
        inverse[c] = static_cast<float>(1.0 / __builtin_sqrt(squares / count + shape.epsilon));
        running_mean[c] += shape.momentum * (mean[c] - running_mean[c]);
        const float unbiased = static_cast<float>(squares / (count - 1.0));
        running_variance[c] += shape.momentum * (unbiased - running_variance[c]);
      }
    } else {
      for (int64_t c = 0; c < s.channels; c++) {
        mean[c] = running_mean[c];
        inverse[c] = static_cast<float>(
            1.0 / __builtin_sqrt(static_cast<double>(running_variance[c]) + shape.epsilon));
      }
    }
    for (int64_t c = s.channels; c < padded; c++) mean[c] = inverse[c] = 0.0f;
    for (int64_t c = 0; c < padded; c++) {
      factor[c] = c < s.channels ? weight[c] * inverse[c] : 0.0f;
      shift[c] = c < s.channels ? bias[c] : 0.0f;
    }
    const float slope = shape.negative_slope;
    map_planes(s, fixed, y, [=](int64_t at, int64_t c) {
      return leaky_relu((x[at] - mean[c]) * factor[c] + shift[c], slope);
    });
  });
}

void batch_norm_backward(const NormShape &shape, const float *x, const float *weight,
                         const float *bias, const float *saved, const float *d_y, float *d_x,
                         float *d_weight, float *d_bias, double *scratch) {
  const MapShape &s = shape.map;
  const int64_t padded = s.blocks() * s.block;
  const double count = static_cast<double>(s.batch * s.pixels());
  const float slope = shape.negative_slope;
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
  // The gradient before the leaky ReLU; its sign is computed as forward computed it.
  const auto gradient = [=](int64_t at, int64_t c) {
    return leaky_relu_gradient((x[at] - mean[c]) * factor[c] + shift[c], d_y[at], slope);
  };
  with_block(s.block, [&](auto fixed) {
    sum_planes(s, fixed, partial, [=](int64_t at, int64_t c, float &sum, float &products) {
      const float g = gradient(at, c);
      sum += g;
      products += g * (x[at] - mean[c]);
    });
    sum_images(s, partial, total);
    for (int64_t c = 0; c < padded; c++) {
      mean_gradient[c] = static_cast<float>(total[c] / count);
      const double product = total[padded + c] * inverse[c];
      mean_product[c] = static_cast<float>(product / count * inverse[c]);
      if (c >= s.channels) continue;
      if (d_bias) d_bias[c] = static_cast<float>(total[c]);
      if (d_weight) d_weight[c] = static_cast<float>(product);
    }
    if (!d_x) return;
    if (shape.training) {
      map_planes(s, fixed, d_x, [=](int64_t at, int64_t c) {
        return factor[c] *
               (gradient(at, c) - mean_gradient[c] - (x[at] - mean[c]) * mean_product[c]);
      });
    } else {
      map_planes(s, fixed, d_x, [=](int64_t at, int64_t c) { return factor[c] * gradient(at, c); });
    }
  });
}

}  // namespace
}  // namespace gapcam::cpu
