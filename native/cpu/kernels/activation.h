// Activations and sums, element by element.
#pragma once

#include "blocks.h"

namespace gapcam::cpu {
namespace {

// Calls body with the activation known at compile time, so that loops become vectors.
template <class Body>
void with_activation(int kind, const Body &body) {
  switch (kind) {
    case activation_leaky_relu:
      return body(Fixed<activation_leaky_relu>{});
    case activation_clip:
      return body(Fixed<activation_clip>{});
    case activation_sigmoid:
      return body(Fixed<activation_sigmoid>{});
    case activation_silu:
      return body(Fixed<activation_silu>{});
    case activation_hard_swish:
      return body(Fixed<activation_hard_swish>{});
    case activation_hard_sigmoid:
      return body(Fixed<activation_hard_sigmoid>{});
    case activation_gelu:
      return body(Fixed<activation_gelu>{});
    default:
      return body(Fixed<activation_identity>{});
  }
}

void activation(int kind, float a, float b, const float *x, float *y, int64_t count) {
  with_activation(kind, [=](auto fixed) {
    // Locals: a store to the map could change what the closure holds, and no loop is a vector's.
    const float *from = x, p = a, q = b;
    float *to = y;
    const int64_t n = count;
#pragma omp parallel for simd schedule(static) if (n >= worth_threads)
    for (int64_t i = 0; i < n; i++) to[i] = activate(fixed.value, p, q, from[i]);
  });
}

void activation_backward(int kind, float a, float b, const float *known, const float *d_y,
                         float *d_x, int64_t count) {
  with_activation(kind, [=](auto fixed) {
    const float *from = known, *d_to = d_y, p = a, q = b;
    float *d_from = d_x;
    const int64_t n = count;
#pragma omp parallel for simd schedule(static) if (n >= worth_threads)
    for (int64_t i = 0; i < n; i++) {
      d_from[i] = activation_gradient(fixed.value, p, q, from[i], d_to[i]);
    }
  });
}

// 0 to the channels that only fill up the last block.
void clear_padding(const MapShape &s, float *y) {
  const int64_t last = s.blocks() - 1, filled = s.channels - last * s.block;
  for (int64_t n = 0; n < s.batch; n++) {
    float *pixel = y + (n * s.blocks() + last) * s.pixels() * s.block;
    for (int64_t p = 0; p < s.pixels(); p++, pixel += s.block) {
      for (int64_t c = filled; c < s.block; c++) pixel[c] = 0.0f;
    }
  }
}

void add(const float *a, const float *b, float *y, int64_t count) {
#pragma omp parallel for simd schedule(static) if (count >= worth_threads)
  for (int64_t i = 0; i < count; i++) y[i] = a[i] + b[i];
}

}  // namespace
}  // namespace gapcam::cpu
