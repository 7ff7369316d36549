// Batch normalisation of a plane of blocks of 8 or 16 channels, as vectors, and the activations
// that follow one. Part of norm.h.
#pragma once

#include "blocks.h"
#include "elementwise.h"

namespace gapcam::cpu {
namespace {

// What follows a normalisation, of numbers and of vectors: none, leaky ReLU or clip.
struct PiecewiseActivation {
  float slope = 1.0f, floor = 0.0f, ceiling = __builtin_inff();

  explicit PiecewiseActivation(const NormShape &shape) {
    if (shape.activation == activation_leaky_relu) slope = shape.a;
    if (shape.activation != activation_clip) return;
    slope = 0.0f;
    floor = shape.a;
    ceiling = shape.b;
  }

  float made(float z) const {
    const float low = slope == 0.0f ? floor : z * slope;
    const float above = low > z ? low : z;
    return above > ceiling ? ceiling : above;
  }
  // Of d, behind the activation.
  float gradient(float z, float d) const {
    return z <= floor ? below_zero(d, slope) : z >= ceiling ? 0.0f : d;
  }

  // The same of blocks; slope 0 makes the floor of infinity too, and 0 of its gradient.
  template <int64_t Block>
  struct Lanes {
    using Floats = typename Vector<Block>::Floats;
    using Integers = typename Vector<Block>::Integers;
    Floats slope, floor, ceiling;
    Integers sloping;

    explicit Lanes(const PiecewiseActivation &of)
        : slope(Floats{} + of.slope), floor(Floats{} + of.floor), ceiling(Floats{} + of.ceiling) {
      sloping = Integers{} - (of.slope != 0.0f ? 1 : 0);
    }
    Floats below(const Floats &value, const Floats &otherwise) const {
      return sloping ? Floats(value * slope) : otherwise;
    }
    Floats made(const Floats &z) const {
      const Floats low = below(z, floor);
      const Floats above = low > z ? low : z;
      return above > ceiling ? ceiling : above;
    }
    Floats gradient(const Floats &z, const Floats &d) const {
      const Floats rising = z <= floor ? below(d, Floats{}) : d;
      return z >= ceiling ? Floats{} : rising;
    }
  };
};

// One that bends.
template <int Kind>
struct SmoothActivation {
  float made(float z) const { return activate(Kind, 0.0f, 0.0f, z); }
  float gradient(float z, float d) const { return activation_gradient(Kind, 0.0f, 0.0f, z, d); }

  template <int64_t Block>
  struct Lanes {
    using Floats = typename Vector<Block>::Floats;

    explicit Lanes(const SmoothActivation &) {}
    Floats made(const Floats &z) const {
      alignas(64) float values[Block];
      store_lanes(values, z);
#pragma omp simd
      for (int64_t l = 0; l < Block; l++) values[l] = activate(Kind, 0.0f, 0.0f, values[l]);
      return load_lanes(values);
    }
    Floats gradient(const Floats &z, const Floats &d) const {
      alignas(64) float values[Block], arriving[Block];
      store_lanes(values, z);
      store_lanes(arriving, d);
#pragma omp simd
      for (int64_t l = 0; l < Block; l++) {
        values[l] = activation_gradient(Kind, 0.0f, 0.0f, values[l], arriving[l]);
      }
      return load_lanes(values);
    }
    static void store_lanes(float *to, const Floats &v) { *reinterpret_cast<Floats *>(to) = v; }
    static Floats load_lanes(const float *from) { return *reinterpret_cast<const Floats *>(from); }
  };
};

template <class Body>
void with_norm_activation(const NormShape &shape, const Body &body) {
  switch (shape.activation) {
    case activation_silu:
      return body(SmoothActivation<activation_silu>{});
    case activation_hard_swish:
      return body(SmoothActivation<activation_hard_swish>{});
    case activation_gelu:
      return body(SmoothActivation<activation_gelu>{});
    default:
      return body(PiecewiseActivation(shape));
  }
}

// Numbers of each channel.
struct NormLines {
  const float *mean, *factor, *shift, *mean_gradient, *mean_product;
};

// Those of one block, and its activation.
template <int64_t Block, class Activation>
struct NormLanes {
  using Floats = typename Vector<Block>::Floats;
  Floats mean, factor, shift;
  typename Activation::template Lanes<Block> after;

  NormLanes(const NormLines &lines, int64_t channel, const Activation &activation)
      : mean(line(lines.mean, channel)),
        factor(line(lines.factor, channel)),
        shift(line(lines.shift, channel)),
        after(activation) {}
  static Floats line(const float *values, int64_t channel) {
    return *reinterpret_cast<const Floats *>(values + channel);
  }
};

template <int64_t Block, class Activation>
void normalise_plane(const MapShape &s, int64_t plane, const NormLines &lines,
                     const Activation &activation, const float *x, const float *added, float *y) {
  using Floats = typename Vector<Block>::Floats;
  const NormLanes<Block, Activation> n(lines, plane % s.blocks() * Block, activation);
  const int64_t first = plane * s.pixels() * Block, pixels = s.pixels();
  const auto *from = reinterpret_cast<const Floats *>(x + first);
  auto *to = reinterpret_cast<Floats *>(y + first);
  if (added) {
    const auto *more = reinterpret_cast<const Floats *>(added + first);
    for (int64_t p = 0; p < pixels; p++) {
      to[p] = n.after.made((from[p] - n.mean) * n.factor + n.shift + more[p]);
    }
    return;
  }
  for (int64_t p = 0; p < pixels; p++) {
    to[p] = n.after.made((from[p] - n.mean) * n.factor + n.shift);
  }
}

// The sums of the gradients before the activation and of their products with the distances from the
// mean: few pixels in f32, the plane in f64. partial: see sum_plane.
template <int64_t Block, class Activation>
void sum_gradients(const MapShape &s, int64_t plane, const NormLines &lines,
                   const Activation &activation, const float *x, const float *d_y,
                   double *partial) {
  using Floats = typename Vector<Block>::Floats;
  const NormLanes<Block, Activation> n(lines, plane % s.blocks() * Block, activation);
  const int64_t first = plane * s.pixels() * Block, pixels = s.pixels();
  const auto *from = reinterpret_cast<const Floats *>(x + first);
  const auto *arriving = reinterpret_cast<const Floats *>(d_y + first);
  double sum[Block] = {}, products[Block] = {};
  constexpr int64_t few = 64, ways = 4;
  for (int64_t start = 0; start < pixels; start += few) {
    const int64_t end = min(start + few, pixels);
    Floats some[ways] = {}, more[ways] = {};
    const auto add = [&](int64_t p, int64_t way) {
      const Floats distance = from[p] - n.mean;
      const Floats g = n.after.gradient(distance * n.factor + n.shift, arriving[p]);
      some[way] += g;
      more[way] += g * distance;
    };
    int64_t p = start;
    for (; p + ways <= end; p += ways) {
#pragma GCC unroll 4
      for (int64_t way = 0; way < ways; way++) add(p + way, way);
    }
    for (; p < end; p++) add(p, 0);
    const Floats all = (some[0] + some[1]) + (some[2] + some[3]);
    const Floats all_products = (more[0] + more[1]) + (more[2] + more[3]);
    for (int64_t l = 0; l < Block; l++) {
      sum[l] += static_cast<double>(all[l]);
      products[l] += static_cast<double>(all_products[l]);
    }
  }
  double *second = partial + s.batch * s.blocks() * Block;
  for (int64_t l = 0; l < Block; l++) {
    partial[plane * Block + l] = sum[l];
    second[plane * Block + l] = products[l];
  }
}

template <int64_t Block, class Activation>
void differentiate_plane(const MapShape &s, int64_t plane, const NormLines &lines,
                         const Activation &activation, const float *x, const float *d_y,
                         float *d_x) {
  using Floats = typename Vector<Block>::Floats;
  const int64_t channel = plane % s.blocks() * Block;
  const NormLanes<Block, Activation> n(lines, channel, activation);
  const Floats mean_gradient = n.line(lines.mean_gradient, channel),
               mean_product = n.line(lines.mean_product, channel);
  const int64_t first = plane * s.pixels() * Block, pixels = s.pixels();
  const auto *from = reinterpret_cast<const Floats *>(x + first);
  const auto *arriving = reinterpret_cast<const Floats *>(d_y + first);
  auto *to = reinterpret_cast<Floats *>(d_x + first);
  for (int64_t p = 0; p < pixels; p++) {
    const Floats distance = from[p] - n.mean;
    const Floats g = n.after.gradient(distance * n.factor + n.shift, arriving[p]);
    to[p] = n.factor * (g - mean_gradient - distance * mean_product);
  }
}

}  // namespace
}  // namespace gapcam::cpu
