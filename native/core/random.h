// Random numbers that are a function of where they are used, the same on every backend. Kernels
// include this file, so it uses nothing but C arithmetic.
#pragma once

#include "dropout_shape.h"
#include "elementwise.h"

namespace gapcam {

// The first word of Philox 4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3).
GAPCAM_INLINE unsigned int philox(unsigned int key0, unsigned int key1, unsigned int x0,
                                  unsigned int x1, unsigned int x2, unsigned int x3) {
  for (int round = 0; round < 10; round++) {
    const unsigned long long p = 0xd2511f53ull * x0, q = 0xcd9e8d57ull * x2;
    x0 = (unsigned int)(q >> 32) ^ x1 ^ key0;
    x1 = (unsigned int)q;
    x2 = (unsigned int)(p >> 32) ^ x3 ^ key1;
    x3 = (unsigned int)p;
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return x0;
}

// The number in the batch of all ranks that image n of this rank has.
GAPCAM_INLINE long long dropout_image(const int *settings, long long n) { return settings[2] + n; }

// What an element is multiplied with. `settings` is that of gapcam_program_dropout; `element`
// counts in the host's order of the batch of all ranks, or images.
GAPCAM_INLINE float dropout_factor(const DropoutShape &s, const int *settings, long long element) {
  const unsigned int word =
      philox((unsigned int)settings[0], 0u, (unsigned int)element,
             (unsigned int)((unsigned long long)element >> 32), s.layer, (unsigned int)settings[1]);
  return word < s.threshold ? 0.0f : s.scale;
}

}  // namespace gapcam
