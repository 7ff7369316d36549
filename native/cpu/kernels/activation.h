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

// Leaky ReLU in vectors, since GCC keeps a branch in its loop, and the signs of a map are guessed
// wrong half the time. choose(known, x, x below zero) makes one vector; by value, since what a
// reference binds to has the alignment of a whole vector, which a map's rows do not.
template <class Choose>
void leaky_vectors(float slope, const float *known, const float *x, float *y, int64_t count,
                   const Choose &choose) {
  using V = Vector<lanes_max>;
  using Floats = typename V::Floats;
  using Integers = typename V::Integers;
  Integers keep = {};  // slope 0 makes 0 of infinity too
  if (slope != 0.0f) keep -= 1;
  const auto one = [=](const float *sign, const float *from, float *to) {
    const Floats value = *reinterpret_cast<const Floats *>(from);
    const Floats below =
        reinterpret_cast<Floats>(reinterpret_cast<Integers>(Floats(value * slope)) & keep);
    *reinterpret_cast<Floats *>(to) = choose(*reinterpret_cast<const Floats *>(sign), value, below);
  };
  const int64_t whole = count / lanes_max;
#pragma omp parallel for schedule(static) if (count >= worth_threads)
  for (int64_t i = 0; i < whole; i++) {
    one(known + i * lanes_max, x + i * lanes_max, y + i * lanes_max);
  }
  const int64_t rest = count - whole * lanes_max;
  if (rest == 0) return;
  float signs[lanes_max] = {}, from[lanes_max] = {}, to[lanes_max];
  for (int64_t i = 0; i < rest; i++) {
    signs[i] = known[whole * lanes_max + i];
    from[i] = x[whole * lanes_max + i];
  }
  one(signs, from, to);
  for (int64_t i = 0; i < rest; i++) y[whole * lanes_max + i] = to[i];
}

void activation(int kind, float a, float b, const float *x, float *y, int64_t count) {
  if (kind == activation_leaky_relu) {
    // As leaky_relu() of elementwise.h.
    return leaky_vectors(a, x, x, y, count, [](auto, auto value, auto below) {
      return below > value ? below : value;
    });
  }
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
  if (kind == activation_leaky_relu) {
    // As leaky_relu_gradient().
    return leaky_vectors(a, known, d_y, d_x, count, [](auto sign, auto value, auto below) {
      return sign <= 0.0f ? below : value;
    });
  }
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
