// One vector of channels and the four transforms, as F(4x4, 3x3) and F(3x3, 4x4) of Winograd's
// minimal filtering need them (Lavin and Gray, "Fast algorithms for convolutional neural networks",
// 2015). Included by one translation unit for each instruction set; everything is in an unnamed
// namespace, since a copy compiled for one set must never serve another.
//
// GCC's vector extensions rather than Highway: the kernels need nothing but loads, stores,
// broadcasts, multiply-adds and blends of whole vectors, which the extensions write as plain
// arithmetic for any width and any machine, and it is one dependency less to install.
#pragma once

#include <omp.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "plan.h"

namespace gapcam::cpu::winograd {
namespace {

// Nothing here is called across translation units, so how vectors are passed does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"
#define GAPCAM_ALWAYS_INLINE inline __attribute__((always_inline))

template <int Width>
struct Types;

template <>
struct Types<8> {
  typedef float Vector __attribute__((vector_size(32)));
  typedef int32_t Integers __attribute__((vector_size(32)));
  typedef uint8_t Bytes __attribute__((vector_size(8)));
};

template <>
struct Types<16> {
  typedef float Vector __attribute__((vector_size(64)));
  typedef int32_t Integers __attribute__((vector_size(64)));
  typedef uint8_t Bytes __attribute__((vector_size(16)));
};

template <int Width>
struct Lanes {
  using Vector = typename Types<Width>::Vector;
  using Integers = typename Types<Width>::Integers;
  using Bytes = typename Types<Width>::Bytes;

  static constexpr int width = Width;
  static GAPCAM_ALWAYS_INLINE Vector load(const float *p) {
    return *reinterpret_cast<const Vector *>(p);
  }
  static GAPCAM_ALWAYS_INLINE void store(float *p, Vector v) { *reinterpret_cast<Vector *>(p) = v; }
  // x - 0 is x for every x, so that this is a broadcast and nothing else.
  static GAPCAM_ALWAYS_INLINE Vector broadcast(float x) { return x - Vector{}; }
  static GAPCAM_ALWAYS_INLINE Integers load_bytes(const uint8_t *p) {
    // GCC 12 converts one byte at a time.
#ifdef __AVX2__
    if constexpr (Width == 8) {
      return reinterpret_cast<Integers>(
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p))));
    }
#endif
#ifdef __AVX512F__
    if constexpr (Width == 16) {
      return reinterpret_cast<Integers>(
          _mm512_maskz_cvtepu8_epi32(0xffff, _mm_load_si128(reinterpret_cast<const __m128i *>(p))));
    }
#endif
    return __builtin_convertvector(*reinterpret_cast<const Bytes *>(p), Integers);
  }
  static GAPCAM_ALWAYS_INLINE void store_bytes(uint8_t *p, Integers v) {
#ifdef __AVX2__
    if constexpr (Width == 8) {
      const __m256i all = reinterpret_cast<__m256i>(v);
      const __m128i words =
          _mm_packus_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
      return _mm_storel_epi64(reinterpret_cast<__m128i *>(p), _mm_packus_epi16(words, words));
    }
#endif
#ifdef __AVX512F__
    if constexpr (Width == 16) {
      return _mm_store_si128(reinterpret_cast<__m128i *>(p),
                             _mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<__m512i>(v)));
    }
#endif
    *reinterpret_cast<Bytes *>(p) = __builtin_convertvector(v, Bytes);
  }
  static GAPCAM_ALWAYS_INLINE Vector where(Integers mask, Vector v) {
    return reinterpret_cast<Vector>(reinterpret_cast<Integers>(v) & mask);
  }
};

// The slope of a leaky ReLU below zero; as in elementwise.h, slope 0 gives 0 for infinity too.
template <class L>
struct Slope {
  typename L::Vector factor;
  typename L::Integers mask;
  explicit Slope(float slope) : factor(L::broadcast(slope)), mask(factor != typename L::Vector{}) {}
  GAPCAM_ALWAYS_INLINE typename L::Vector below_zero(typename L::Vector x) const {
    return L::where(mask, x * factor);
  }
};

// Past the caches, for what is written whole lines at a time and read long after: a line that is
// not there would be fetched first, only to be overwritten.
template <class L>
GAPCAM_ALWAYS_INLINE void stream(float *p, typename L::Vector v) {
#ifdef __AVX__
  if constexpr (L::width == 8) return _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#endif
#ifdef __AVX512F__
  if constexpr (L::width == 16) return _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#endif
  L::store(p, v);
}

// Before other threads read what was streamed.
GAPCAM_ALWAYS_INLINE void stream_fence() {
#ifdef __AVX__
  _mm_sfence();
#endif
}

// Eight rows of eight, `from_step` floats apart, to eight columns.
GAPCAM_ALWAYS_INLINE void transpose_eight(const float *from, int64_t from_step, float *to,
                                          int64_t to_step) {
  typedef float Eight __attribute__((vector_size(32), aligned(4), may_alias));
  typedef int32_t Order __attribute__((vector_size(32)));
  Eight in[8], pairs[8], fours[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) in[i] = *reinterpret_cast<const Eight *>(from + i * from_step);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shuffle(in[i], in[i + 1], Order{0, 8, 1, 9, 4, 12, 5, 13});
    pairs[i + 1] = __builtin_shuffle(in[i], in[i + 1], Order{2, 10, 3, 11, 6, 14, 7, 15});
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      const Eight low = pairs[i + j], high = pairs[i + 2 + j];
      fours[i + 2 * j] = __builtin_shuffle(low, high, Order{0, 1, 8, 9, 4, 5, 12, 13});
      fours[i + 2 * j + 1] = __builtin_shuffle(low, high, Order{2, 3, 10, 11, 6, 7, 14, 15});
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    *reinterpret_cast<Eight *>(to + i * to_step) =
        __builtin_shuffle(fours[i], fours[4 + i], Order{0, 1, 2, 3, 8, 9, 10, 11});
    *reinterpret_cast<Eight *>(to + (4 + i) * to_step) =
        __builtin_shuffle(fours[i], fours[4 + i], Order{4, 5, 6, 7, 12, 13, 14, 15});
  }
}

// The polynomials are evaluated at 0, +-a, +-b and infinity. The usual a = 1, b = 2 save no
// operation on a machine with fused multiply-add, and lose more than a bit: of the exactly
// representable pairs, 5/8 and 3/2 have about the least error in f32, a third of the usual one's
// (measured; Barabasz, Anderson, Soodhalter and Gregg, "Error analysis and improving the accuracy
// of Winograd convolution for deep neural networks", 2020, say why such points are better).
constexpr float a = 0.625f, a2 = a * a, a3 = a2 * a;
constexpr float b = 1.5f, b2 = b * b, b3 = b2 * b;
// What the Lagrange basis divides by at 0, +-a and +-b.
constexpr float scale_0 = 1.0f / (a2 * b2);
constexpr float scale_a = 1.0f / (2.0f * a2 * (a2 - b2));
constexpr float scale_b = 1.0f / (2.0f * b2 * (b2 - a2));

// Points +-x differ in the sign of the odd powers: a transform makes the even and the odd part, and
// adds and subtracts. A two-dimensional transform makes only the rows of one such pair at a time:
// what it makes then stays in registers, where all of it would go through memory.

// B^T: 6 input pixels to 6 points.
template <class Vector>
GAPCAM_ALWAYS_INLINE void input_transform(const Vector (&d)[6], Vector (&out)[6]) {
  const Vector even_a = d[4] - b2 * d[2], odd_a = a * d[3] - (a * b2) * d[1];
  const Vector even_b = d[4] - a2 * d[2], odd_b = b * d[3] - (b * a2) * d[1];
  out[0] = (d[4] - (a2 + b2) * d[2]) + (a2 * b2) * d[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = (d[5] - (a2 + b2) * d[3]) + (a2 * b2) * d[1];
}

// A^T of F(4, 3): 6 points to 4 output pixels.
template <class Vector>
GAPCAM_ALWAYS_INLINE void output_transform(const Vector (&m)[6], Vector (&out)[4]) {
  const Vector sum_a = m[1] + m[2], difference_a = m[1] - m[2];
  const Vector sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  out[0] = (m[0] + sum_a) + sum_b;
  out[1] = a * difference_a + b * difference_b;
  out[2] = a2 * sum_a + b2 * sum_b;
  out[3] = (m[5] + a3 * difference_a) + b3 * difference_b;
}

// G of F(4, 3): 3 weights to 6 points.
template <class Vector>
GAPCAM_ALWAYS_INLINE void weight_transform(const Vector (&g)[3], Vector (&out)[6]) {
  const Vector even_a = scale_a * g[0] + (scale_a * a2) * g[2], odd_a = (scale_a * a) * g[1];
  const Vector even_b = scale_b * g[0] + (scale_b * b2) * g[2], odd_b = (scale_b * b) * g[1];
  out[0] = scale_0 * g[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = g[2];
}

// G of F(3, 4) without its divisions: 4 gradients to 6 points.
template <class Vector>
GAPCAM_ALWAYS_INLINE void gradient_transform(const Vector (&g)[4], Vector (&out)[6]) {
  const Vector even_a = g[0] + a2 * g[2], odd_a = a * g[1] + a3 * g[3];
  const Vector even_b = g[0] + b2 * g[2], odd_b = b * g[1] + b3 * g[3];
  out[0] = g[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = g[3];
}

// A^T of F(3, 4), with the divisions that gradient_transform left: 6 points to 3 weights.
template <class Vector>
GAPCAM_ALWAYS_INLINE void filter_transform(const Vector (&m)[6], Vector (&out)[3]) {
  const Vector sum_a = scale_a * (m[1] + m[2]), difference_a = scale_a * (m[1] - m[2]);
  const Vector sum_b = scale_b * (m[3] + m[4]), difference_b = scale_b * (m[3] - m[4]);
  out[0] = (scale_0 * m[0] + sum_a) + sum_b;
  out[1] = a * difference_a + b * difference_b;
  out[2] = (m[5] + a2 * sum_a) + b2 * sum_b;
}

}  // namespace
}  // namespace gapcam::cpu::winograd
