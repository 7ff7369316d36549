// Blocks of channels as vectors. Part of kernels.cpp, which says what may be used here.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "../kernels.h"

namespace gapcam::cpu {
namespace {

constexpr int64_t lanes_max = 16;

int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

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
      _mm_storeu_si128(reinterpret_cast<__m128i *>(bytes),
                       _mm512_maskz_cvtepi32_epi8(0xffff, _mm512_loadu_si512(&lanes)));
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
#if defined(__AVX512F__)
    if constexpr (Block == 16) {
      lanes = reinterpret_cast<Integers>(_mm512_maskz_cvtepu8_epi32(
          0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes))));
      return;
    }
#endif
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

}  // namespace
}  // namespace gapcam::cpu
