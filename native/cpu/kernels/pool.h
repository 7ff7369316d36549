// Pooling. Part of kernels.cpp, which says what may be used here.
#pragma once

#include "blocks.h"

namespace gapcam::cpu {
namespace {

// The part of a window that lies inside the input.
struct Window {
  int64_t start, first, end;
  Window(int64_t index, int stride, int padding, int kernel, int64_t size)
      : start(index * stride - padding), first(max(start, 0)), end(min(start + kernel, size)) {}
};

// One window, one block of channels.
template <int64_t Block>
void max_of_window(const PoolShape &s, const Window &h, const Window &w, const float *in, float *y,
                   uint8_t *argmax) {
  using V = Vector<Block>;
  const int64_t row = s.input.width * Block;
  typename V::Floats best =
      *reinterpret_cast<const typename V::Floats *>(in + h.first * row + w.first * Block);
  typename V::Integers where = {};
  where += static_cast<int32_t>((h.first - h.start) * s.kernel_width + w.first - w.start);
  for (int64_t i = h.first; i < h.end; i++) {
    for (int64_t j = w.first; j < w.end; j++) {
      const auto value = *reinterpret_cast<const typename V::Floats *>(in + i * row + j * Block);
      typename V::Integers position = {};
      position += static_cast<int32_t>((i - h.start) * s.kernel_width + j - w.start);
      // As in PyTorch, the first maximum wins and NaN is larger than everything.
      const auto take = (value > best) | (value != value);
      best = take ? value : best;
      where = take ? position : where;
    }
  }
  *reinterpret_cast<typename V::Floats *>(y) = best;
  if (argmax) {
    V::store_bytes(where, argmax);
  }
}

template <int64_t Block>
void max_pool_blocked(const PoolShape &s, const float *x, float *y, uint8_t *argmax) {
  const int64_t planes = s.input.batch * s.input.blocks();
  const int64_t plane_size = s.input.pixels() * Block;
#pragma omp parallel for collapse(2) schedule(static) if (planes * plane_size >= worth_threads)
  for (int64_t plane = 0; plane < planes; plane++) {
    for (int64_t oh = 0; oh < s.output_height; oh++) {
      const Window h(oh, s.stride_height, s.padding_height, s.kernel_height, s.input.height);
      int64_t out = (plane * s.output_height + oh) * s.output_width * Block;
      for (int64_t ow = 0; ow < s.output_width; ow++, out += Block) {
        const Window w(ow, s.stride_width, s.padding_width, s.kernel_width, s.input.width);
        max_of_window<Block>(s, h, w, x + plane * plane_size, y + out,
                             argmax ? argmax + out : nullptr);
      }
    }
  }
}

template <int64_t Block, class Index>
void max_pool_typed(const PoolShape &s, const float *x, float *y, Index *argmax) {
  const int64_t block = Block ? Block : s.input.block;
  const int64_t planes = s.input.batch * s.input.blocks();
  const int64_t row = s.input.width * block;
#pragma omp parallel for collapse(2) schedule(static) if (s.input.elements() >= worth_threads)
  for (int64_t plane = 0; plane < planes; plane++) {
    for (int64_t oh = 0; oh < s.output_height; oh++) {
      const float *in = x + plane * s.input.height * row;
      const Window h(oh, s.stride_height, s.padding_height, s.kernel_height, s.input.height);
      for (int64_t ow = 0; ow < s.output_width; ow++) {
        const Window w(ow, s.stride_width, s.padding_width, s.kernel_width, s.input.width);
        const int64_t out = ((plane * s.output_height + oh) * s.output_width + ow) * block;
        for (int64_t c = 0; c < block; c += Block ? Block : lanes_max) {
          const int64_t lanes = Block ? Block : min(lanes_max, block - c);
          float best[lanes_max];
          int32_t where[lanes_max];
          const int32_t begin =
              static_cast<int32_t>((h.first - h.start) * s.kernel_width + w.first - w.start);
          for (int64_t l = 0; l < lanes; l++) {
            best[l] = in[h.first * row + w.first * block + c + l];
            where[l] = begin;
          }
          for (int64_t i = h.first; i < h.end; i++) {
            for (int64_t j = w.first; j < w.end; j++) {
              const float *pixel = in + i * row + j * block + c;
              const int32_t position =
                  static_cast<int32_t>((i - h.start) * s.kernel_width + j - w.start);
              for (int64_t l = 0; l < lanes; l++) {
                const float value = pixel[l];
                // As in PyTorch, the first maximum wins and NaN is larger than everything.
                const bool take = (value > best[l]) | (value != value);
                best[l] = take ? value : best[l];
                where[l] = take ? position : where[l];
              }
            }
          }
          for (int64_t l = 0; l < lanes; l++) y[out + c + l] = best[l];
          if (argmax) {
            for (int64_t l = 0; l < lanes; l++) argmax[out + c + l] = static_cast<Index>(where[l]);
          }
        }
      }
    }
  }
}

void max_pool(const PoolShape &shape, const float *x, float *y, void *argmax) {
  auto *bytes = static_cast<uint8_t *>(argmax);
  if (shape.narrow() && shape.input.block == 8) return max_pool_blocked<8>(shape, x, y, bytes);
  if (shape.narrow() && shape.input.block == 16) return max_pool_blocked<16>(shape, x, y, bytes);
  with_block(shape.input.block, [&](auto block) {
    if (shape.narrow()) {
      max_pool_typed<decltype(block)::value>(shape, x, y, static_cast<uint8_t *>(argmax));
    } else {
      max_pool_typed<decltype(block)::value>(shape, x, y, static_cast<int32_t *>(argmax));
    }
  });
}

// Whether each input pixel belongs to exactly one window: then backward writes instead of adding.
bool covers_once(const PoolShape &s) {
  return s.padding_height == 0 && s.padding_width == 0 && s.stride_height == s.kernel_height &&
         s.stride_width == s.kernel_width && s.output_height * s.kernel_height == s.input.height &&
         s.output_width * s.kernel_width == s.input.width;
}

template <int64_t Block>
void max_pool_backward_blocked(const PoolShape &s, const float *d_y, const uint8_t *argmax,
                               float *d_x) {
  using V = Vector<Block>;
  const int64_t planes = s.input.batch * s.input.blocks();
  const int64_t row = s.input.width * Block;
#pragma omp parallel for collapse(2) schedule(static) if (planes * row >= worth_threads / 16)
  for (int64_t plane = 0; plane < planes; plane++) {
    for (int64_t oh = 0; oh < s.output_height; oh++) {
      float *in = d_x + (plane * s.input.height + oh * s.kernel_height) * row;
      int64_t out = (plane * s.output_height + oh) * s.output_width * Block;
      for (int64_t ow = 0; ow < s.output_width; ow++, out += Block) {
        const auto gradient = *reinterpret_cast<const typename V::Floats *>(d_y + out);
        typename V::Integers where;
        V::load_bytes(argmax + out, where);
        for (int32_t i = 0; i < s.kernel_height; i++) {
          for (int32_t j = 0; j < s.kernel_width; j++) {
            const auto chosen = where == i * s.kernel_width + j;
            float *pixel = in + i * row + (ow * s.kernel_width + j) * Block;
            *reinterpret_cast<typename V::Floats *>(pixel) =
                chosen ? gradient : typename V::Floats{};
          }
        }
      }
    }
  }
}

// The windows along one direction that an input pixel lies in.
struct Windows {
  int64_t first, end;
  Windows(int64_t pixel, int stride, int padding, int kernel, int64_t count)
      : first(max(pixel + padding - kernel + stride, 0) / stride),
        end(min((pixel + padding) / stride + 1, count)) {}
};

// Windows that overlap: each pixel adds up what those that it lies in give it, in their order.
template <int64_t Block>
void max_pool_backward_overlapping(const PoolShape &s, const float *d_y, const uint8_t *argmax,
                                   float *d_x) {
  using V = Vector<Block>;
  const int64_t planes = s.input.batch * s.input.blocks();
  const int64_t width = s.input.width;
#pragma omp parallel for collapse(2) schedule(static) if (s.input.elements() >= worth_threads)
  for (int64_t plane = 0; plane < planes; plane++) {
    for (int64_t i = 0; i < s.input.height; i++) {
      const Windows h(i, s.stride_height, s.padding_height, s.kernel_height, s.output_height);
      float *pixel = d_x + (plane * s.input.height + i) * width * Block;
      for (int64_t j = 0; j < width; j++, pixel += Block) {
        const Windows w(j, s.stride_width, s.padding_width, s.kernel_width, s.output_width);
        typename V::Floats sum = {};
        for (int64_t oh = h.first; oh < h.end; oh++) {
          const int64_t row = i - (oh * s.stride_height - s.padding_height);
          for (int64_t ow = w.first; ow < w.end; ow++) {
            const int64_t column = j - (ow * s.stride_width - s.padding_width);
            const int64_t out = ((plane * s.output_height + oh) * s.output_width + ow) * Block;
            typename V::Integers where;
            V::load_bytes(argmax + out, where);
            const auto chosen = where == static_cast<int32_t>(row * s.kernel_width + column);
            sum += chosen ? *reinterpret_cast<const typename V::Floats *>(d_y + out)
                          : typename V::Floats{};
          }
        }
        *reinterpret_cast<typename V::Floats *>(pixel) = sum;
      }
    }
  }
}

template <int64_t Block, class Index>
void max_pool_backward_typed(const PoolShape &s, const float *d_y, const Index *argmax,
                             float *d_x) {
  const int64_t block = Block ? Block : s.input.block;
  const int64_t planes = s.input.batch * s.input.blocks();
  const int64_t row = s.input.width * block;
  const bool apart = s.stride_height >= s.kernel_height && s.stride_width >= s.kernel_width;
  const bool covered = covers_once(s);
#pragma omp parallel for schedule(static) if (s.input.elements() >= worth_threads)
  for (int64_t plane = 0; plane < planes; plane++) {
    float *in = d_x + plane * s.input.height * row;
    if (!covered) {
      for (int64_t i = 0; i < s.input.height * row; i++) in[i] = 0.0f;
    }
    for (int64_t oh = 0; oh < s.output_height; oh++) {
      const Window h(oh, s.stride_height, s.padding_height, s.kernel_height, s.input.height);
      for (int64_t ow = 0; ow < s.output_width; ow++) {
        const Window w(ow, s.stride_width, s.padding_width, s.kernel_width, s.input.width);
        const int64_t out = ((plane * s.output_height + oh) * s.output_width + ow) * block;
        for (int64_t c = 0; c < block; c += Block ? Block : lanes_max) {
          const int64_t lanes = Block ? Block : min(lanes_max, block - c);
          float gradient[lanes_max];
          int32_t where[lanes_max];
          for (int64_t l = 0; l < lanes; l++) {
            gradient[l] = d_y[out + c + l];
            where[l] = argmax[out + c + l];
          }
          for (int64_t i = h.first; i < h.end; i++) {
            for (int64_t j = w.first; j < w.end; j++) {
              float *pixel = in + i * row + j * block + c;
              const int32_t position =
                  static_cast<int32_t>((i - h.start) * s.kernel_width + j - w.start);
              if (apart) {
                for (int64_t l = 0; l < lanes; l++) {
                  pixel[l] = where[l] == position ? gradient[l] : 0.0f;
                }
              } else {
                for (int64_t l = 0; l < lanes; l++) {
                  pixel[l] += where[l] == position ? gradient[l] : 0.0f;
                }
              }
            }
          }
        }
      }
    }
  }
}

void max_pool_backward(const PoolShape &shape, const float *d_y, const void *argmax, float *d_x) {
  if (shape.narrow() && (shape.input.block == 8 || shape.input.block == 16)) {
    const auto *bytes = static_cast<const uint8_t *>(argmax);
    const bool eight = shape.input.block == 8;
    if (covers_once(shape)) {
      return (eight ? max_pool_backward_blocked<8> : max_pool_backward_blocked<16>)(shape, d_y,
                                                                                    bytes, d_x);
    }
    return (eight ? max_pool_backward_overlapping<8>
                  : max_pool_backward_overlapping<16>)(shape, d_y, bytes, d_x);
  }
  with_block(shape.input.block, [&](auto block) {
    if (shape.narrow()) {
      max_pool_backward_typed<decltype(block)::value>(shape, d_y,
                                                      static_cast<const uint8_t *>(argmax), d_x);
    } else {
      max_pool_backward_typed<decltype(block)::value>(shape, d_y,
                                                      static_cast<const int32_t *>(argmax), d_x);
    }
  });
}

// y[n, c] = factor times the sum over the pixels of weight(pixel) * x: rows in f32, planes in f64.
template <class Weight>
void sum_pixels(const MapShape &s, const float *x, float *y, double factor, const Weight &weight) {
  const int64_t blocks = s.blocks();
  with_block(s.block, [&](auto fixed) {
    const int64_t block = fixed.value ? fixed.value : s.block;
#pragma omp parallel for schedule(static) if (s.elements() >= worth_threads)
    for (int64_t plane = 0; plane < s.batch * blocks; plane++) {
      for (int64_t c = 0; c < block; c += fixed.value ? fixed.value : lanes_max) {
        const int64_t lanes = fixed.value ? fixed.value : min(lanes_max, block - c);
        double sum[lanes_max] = {};
        for (int64_t i = 0; i < s.height; i++) {
          const float *pixel = x + (plane * s.height + i) * s.width * block + c;
          float part[lanes_max] = {};
          for (int64_t j = 0; j < s.width; j++, pixel += block) {
            const float w = weight(i * s.width + j);
            for (int64_t l = 0; l < lanes; l++) part[l] += w * pixel[l];
          }
          for (int64_t l = 0; l < lanes; l++) sum[l] += part[l];
        }
        const int64_t channel = plane % blocks * block + c;
        for (int64_t l = 0; l < min(lanes, s.channels - channel); l++) {
          y[plane / blocks * s.channels + channel + l] = static_cast<float>(sum[l] * factor);
        }
      }
    }
  });
}

void average_pool(const MapShape &s, const float *x, float *y) {
  sum_pixels(s, x, y, 1.0 / static_cast<double>(s.pixels()), [](int64_t) { return 1.0f; });
}

void spatial_sum(const MapShape &s, const float *x, const float *weights, float *y) {
  sum_pixels(s, x, y, 1.0, [=](int64_t pixel) { return weights[pixel]; });
}

void average_pool_backward(const MapShape &s, const float *d_y, float *d_x) {
  const int64_t blocks = s.blocks();
  const float factor = 1.0f / static_cast<float>(s.pixels());
  with_block(s.block, [&](auto fixed) {
    const int64_t block = fixed.value ? fixed.value : s.block;
#pragma omp parallel for schedule(static) if (s.elements() >= worth_threads)
    for (int64_t plane = 0; plane < s.batch * blocks; plane++) {
      for (int64_t c = 0; c < block; c += fixed.value ? fixed.value : lanes_max) {
        const int64_t lanes = fixed.value ? fixed.value : min(lanes_max, block - c);
        const int64_t channel = plane % blocks * block + c;
        float value[lanes_max] = {};
        for (int64_t l = 0; l < min(lanes, s.channels - channel); l++) {
          value[l] = d_y[plane / blocks * s.channels + channel + l] * factor;
        }
        float *pixel = d_x + plane * s.pixels() * block + c;
        for (int64_t j = 0; j < s.pixels(); j++, pixel += block) {
          for (int64_t l = 0; l < lanes; l++) pixel[l] = value[l];
        }
      }
    }
  });
}

}  // namespace
}  // namespace gapcam::cpu
