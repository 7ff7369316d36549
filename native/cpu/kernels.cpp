// Compiled once for each instruction set, with GAPCAM_KERNELS naming the table that it defines.
// Nothing here may instantiate a template of the standard library: the linker keeps one copy, and
// it would be one that not every machine can run.
#include "kernels.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "elementwise.h"

namespace gapcam::cpu {
namespace {

constexpr int64_t lanes_max = 16;

int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
double max_f64(double a, double b) { return a > b ? a : b; }

// Calls body with the block known at compile time where it is 1, 8 or 16, so that inner loops
// become one vector; Fixed<0> stands for any other.
template <int64_t Block>
struct Fixed {
  static constexpr int64_t value = Block;
};

template <class Body>
void with_block(int64_t block, const Body &body) {
  switch (block) {
    case 1:
      return body(Fixed<1>{});
    case 8:
      return body(Fixed<8>{});
    case 16:
      return body(Fixed<16>{});
    default:
      return body(Fixed<0>{});
  }
}

// A block of channels as one vector (GCC's and Clang's extension), for loops that the compiler does
// not find by itself.
template <int64_t Block>
struct Vector {
  typedef float Floats __attribute__((vector_size(Block * 4), aligned(4), may_alias));
  typedef int32_t Integers __attribute__((vector_size(Block * 4), aligned(4), may_alias));

  // 8 bits of each lane; written out because compilers do it lane by lane.
  static void store_bytes(const Integers &lanes, uint8_t *bytes) {
#if defined(__AVX512F__)
    if constexpr (Block == 16) {
      _mm_storeu_si128(
          reinterpret_cast<__m128i *>(bytes),
          _mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<const __m512i &>(lanes)));
      return;
    }
#endif
#if defined(__AVX2__)
    const auto *halves = reinterpret_cast<const __m128i *>(&lanes);
    for (int64_t i = 0; i < Block / 8; i++) {
      const __m128i words =
          _mm_packs_epi32(_mm_loadu_si128(halves + 2 * i), _mm_loadu_si128(halves + 2 * i + 1));
      _mm_storel_epi64(reinterpret_cast<__m128i *>(bytes + 8 * i), _mm_packus_epi16(words, words));
    }
#else
    const auto *each = reinterpret_cast<const int32_t *>(&lanes);
    for (int64_t l = 0; l < Block; l++) bytes[l] = static_cast<uint8_t>(each[l]);
#endif
  }

  static void load_bytes(const uint8_t *bytes, Integers &lanes) {
#if defined(__AVX2__)
    auto *eights = reinterpret_cast<__m256i *>(&lanes);
    for (int64_t i = 0; i < Block / 8; i++) {
      _mm256_storeu_si256(
          eights + i,
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(bytes + 8 * i))));
    }
#else
    auto *each = reinterpret_cast<int32_t *>(&lanes);
    for (int64_t l = 0; l < Block; l++) each[l] = bytes[l];
#endif
  }
};

// Work, in elements or multiplications, that waking other threads is worth.
constexpr int64_t worth_threads = 16384;

// ---- Element-wise -----------------------------------------------------------------------------

void leaky_relu_map(const float *x, float *y, int64_t count, float slope) {
#pragma omp parallel for simd schedule(static) if (count >= worth_threads)
  for (int64_t i = 0; i < count; i++) y[i] = leaky_relu(x[i], slope);
}

void leaky_relu_backward(const float *y, const float *d_y, float *d_x, int64_t count, float slope) {
#pragma omp parallel for simd schedule(static) if (count >= worth_threads)
  for (int64_t i = 0; i < count; i++) d_x[i] = leaky_relu_gradient(y[i], d_y[i], slope);
}

void adam(const UpdateChunk *chunks, int64_t count, const float *settings) {
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t c = 0; c < count; c++) {
    const UpdateChunk chunk = chunks[c];
    float s[8];
    for (int i = 0; i < 8; i++) s[i] = settings[i];
#pragma omp simd
    for (int64_t i = 0; i < chunk.count; i++) {
      adam_update(chunk.parameter + i, chunk.first + i, chunk.second + i, chunk.gradient[i], s);
    }
  }
}

void sgd(const UpdateChunk *chunks, int64_t count, const float *settings) {
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t c = 0; c < count; c++) {
    const UpdateChunk chunk = chunks[c];
    float s[8];
    for (int i = 0; i < 8; i++) s[i] = settings[i];
#pragma omp simd
    for (int64_t i = 0; i < chunk.count; i++) {
      sgd_update(chunk.parameter + i, chunk.first + i, chunk.gradient[i], s);
    }
  }
}

// ---- Pooling ----------------------------------------------------------------------------------

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
  return s.stride_height == s.kernel_height && s.stride_width == s.kernel_width &&
         s.output_height * s.kernel_height == s.input.height &&
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
  if (shape.narrow() && covers_once(shape)) {
    const auto *bytes = static_cast<const uint8_t *>(argmax);
    if (shape.input.block == 8) return max_pool_backward_blocked<8>(shape, d_y, bytes, d_x);
    if (shape.input.block == 16) return max_pool_backward_blocked<16>(shape, d_y, bytes, d_x);
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

void average_pool(const MapShape &s, const float *x, float *y) {
  const int64_t blocks = s.blocks();
  const double factor = 1.0 / static_cast<double>(s.pixels());
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
            for (int64_t l = 0; l < lanes; l++) part[l] += pixel[l];
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

// ---- Batch normalisation ----------------------------------------------------------------------

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

// ---- Linear -----------------------------------------------------------------------------------

float dot(const float *a, const float *b, int64_t count) {
  float sum[lanes_max] = {};
  int64_t i = 0;
  for (; i + lanes_max <= count; i += lanes_max) {
    for (int64_t l = 0; l < lanes_max; l++) sum[l] += a[i + l] * b[i + l];
  }
  for (int64_t l = 0; i + l < count; l++) sum[l] += a[i + l] * b[i + l];
  for (int64_t half = lanes_max / 2; half > 0; half /= 2) {
    for (int64_t l = 0; l < half; l++) sum[l] += sum[l + half];
  }
  return sum[0];
}

void linear(int64_t batch, int64_t inputs, int64_t outputs, const float *x, const float *weight,
            const float *bias, float *y) {
#pragma omp parallel for collapse(2) schedule(static) if (batch * inputs * outputs >= worth_threads)
  for (int64_t n = 0; n < batch; n++) {
    for (int64_t o = 0; o < outputs; o++) {
      y[n * outputs + o] = dot(x + n * inputs, weight + o * inputs, inputs) + (bias ? bias[o] : 0);
    }
  }
}

void linear_backward_data(int64_t batch, int64_t inputs, int64_t outputs, const float *d_y,
                          const float *weight, float *d_x) {
#pragma omp parallel for schedule(static) if (batch * inputs * outputs >= worth_threads)
  for (int64_t n = 0; n < batch; n++) {
    float *row = d_x + n * inputs;
    for (int64_t i = 0; i < inputs; i++) row[i] = 0.0f;
    for (int64_t o = 0; o < outputs; o++) {
      const float factor = d_y[n * outputs + o];
      const float *from = weight + o * inputs;
#pragma omp simd
      for (int64_t i = 0; i < inputs; i++) row[i] += factor * from[i];
    }
  }
}

void linear_backward_filter(int64_t batch, int64_t inputs, int64_t outputs, const float *x,
                            const float *d_y, float *d_weight, float *d_bias) {
#pragma omp parallel for schedule(static) if (batch * inputs * outputs >= worth_threads)
  for (int64_t o = 0; o < outputs; o++) {
    if (d_bias) {
      float sum = 0.0f;
      for (int64_t n = 0; n < batch; n++) sum += d_y[n * outputs + o];
      d_bias[o] = sum;
    }
    if (!d_weight) continue;
    float *row = d_weight + o * inputs;
    for (int64_t i = 0; i < inputs; i++) row[i] = 0.0f;
    for (int64_t n = 0; n < batch; n++) {
      const float factor = d_y[n * outputs + o];
      const float *from = x + n * inputs;
#pragma omp simd
      for (int64_t i = 0; i < inputs; i++) row[i] += factor * from[i];
    }
  }
}

// ---- Layouts and images -----------------------------------------------------------------------

void reorder(const MapShape &from, int64_t block, const float *x, float *y) {
  const int64_t a = from.block, b = block;
  const int64_t from_blocks = from.blocks(), to_blocks = (from.channels + b - 1) / b;
  const int64_t pixels = from.pixels();
#pragma omp parallel for collapse(2) schedule(static) if (from.elements() >= worth_threads)
  for (int64_t n = 0; n < from.batch; n++) {
    for (int64_t to = 0; to < to_blocks; to++) {
      for (int64_t l = 0; l < b; l++) {
        const int64_t c = to * b + l;
        float *out = y + (n * to_blocks + to) * pixels * b + l;
        if (c >= from.channels) {
          for (int64_t p = 0; p < pixels; p++) out[p * b] = 0.0f;
          continue;
        }
        const float *in = x + (n * from_blocks + c / a) * pixels * a + c % a;
        for (int64_t p = 0; p < pixels; p++) out[p * b] = in[p * a];
      }
    }
  }
}

// Rows of `in` to rows of table.output pixels.
template <int64_t Channels>
void resize_rows(const ResizeTable &table, int64_t rows, int64_t channels, const uint8_t *in,
                 uint8_t *out) {
  if (Channels) channels = Channels;
  const int64_t in_row = table.input * channels, row = table.output * channels;
#pragma omp parallel for schedule(static) if (rows * row >= worth_threads)
  for (int64_t r = 0; r < rows; r++) {
    uint8_t *to = out + r * row;
    for (int64_t j = 0; j < table.output; j++, to += channels) {
      const int32_t *weights = table.weights + j * table.taps;
      const uint8_t *pixel = in + r * in_row + table.first[j] * channels;
      for (int64_t c = 0; c < channels; c++) {
        int32_t sum = 1 << (resize_fraction_bits - 1);
        for (int32_t t = 0; t < table.count[j]; t++) sum += weights[t] * pixel[t * channels + c];
        to[c] = resize_round(sum);
      }
    }
  }
}

// Output row `i` of a column-wise resize, `count` bytes of it: a weighted sum of rows `step` apart.
void resize_column(const ResizeTable &table, int64_t i, const uint8_t *in, int64_t step,
                   int64_t count, uint8_t *out) {
  const int32_t *weights = table.weights + i * table.taps;
  in += table.first[i] * step;
  constexpr int64_t at_once = 64;
  for (int64_t start = 0; start < count; start += at_once) {
    const int64_t some = min(at_once, count - start);
    int32_t sum[at_once];
    for (int64_t j = 0; j < some; j++) sum[j] = 1 << (resize_fraction_bits - 1);
    for (int32_t t = 0; t < table.count[i]; t++) {
      const uint8_t *from = in + t * step + start;
      for (int64_t j = 0; j < some; j++) sum[j] += weights[t] * from[j];
    }
    for (int64_t j = 0; j < some; j++) out[start + j] = resize_round(sum[j]);
  }
}

void prepare_images(const PrepareShape &s, const uint8_t *images, float *y, uint8_t *scratch) {
  const int64_t channels = s.channels, width = s.columns.output, height = s.rows.output;
  const int64_t row = width * channels;
  if (!s.columns.identity()) {
    const auto resize = channels == 3   ? resize_rows<3>
                        : channels == 1 ? resize_rows<1>
                                        : resize_rows<0>;
    resize(s.columns, s.batch * s.rows.input, channels, images, scratch);
    images = scratch;
  }
  const int64_t blocks = (channels + s.block - 1) / s.block;
#pragma omp parallel for collapse(2) schedule(static) if (s.batch * height * row >= worth_threads)
  for (int64_t n = 0; n < s.batch; n++) {
    for (int64_t i = 0; i < height; i++) {
      const uint8_t *image = images + n * s.rows.input * row;
      constexpr int64_t piece = 768;  // bytes of a row, whichever pixels they belong to
      for (int64_t start = 0; start < row; start += piece) {
        const int64_t end = min(start + piece, row);
        const uint8_t *in = image + i * row + start;
        uint8_t resized[piece];
        if (!s.rows.identity()) {
          resize_column(s.rows, i, image + start, row, end - start, resized);
          in = resized;
        }
        for (int64_t c = 0; c < channels; c++) {
          const float *table = s.table + c * 256;
          float *out =
              y + (((n * blocks + c / s.block) * height + i) * width) * s.block + c % s.block;
          const int64_t first = (start - c + channels - 1) / channels;
          const int64_t count = (end - c + channels - 1) / channels - first;
          const uint8_t *from = in + first * channels + c - start;
          out += first * s.block;
          for (int64_t j = 0; j < count; j++) out[j * s.block] = table[from[j * channels]];
        }
      }
      for (int64_t c = channels; c < blocks * s.block; c++) {
        float *out =
            y + (((n * blocks + c / s.block) * height + i) * width) * s.block + c % s.block;
        for (int64_t j = 0; j < width; j++) out[j * s.block] = 0.0f;
      }
    }
  }
}

}  // namespace

extern const Kernels GAPCAM_KERNELS;
const Kernels GAPCAM_KERNELS = {
    GAPCAM_KERNELS_NAME,
    leaky_relu_map,
    leaky_relu_backward,
    max_pool,
    max_pool_backward,
    average_pool,
    average_pool_backward,
    batch_norm,
    batch_norm_backward,
    linear,
    linear_backward_data,
    linear_backward_filter,
    reorder,
    prepare_images,
    adam,
    sgd,
};

}  // namespace gapcam::cpu
