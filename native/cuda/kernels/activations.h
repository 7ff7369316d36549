// The activation of a whole map, chosen once: a choice for each value takes longer than its memory
// does. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"
#include "platform.h"

namespace gapcam::cuda {

// of(x), and the gradient of it that belongs to the gradient `d`. `loads`: how many loads of 16
// bytes a thread should have under way.

struct NoActivation {
  enum { loads = 4 };
  GAPCAM_DEVICE float of(float x) const { return x; }
  GAPCAM_DEVICE float gradient(float, float d) const { return d; }
};
struct LeakyRelu {
  enum { loads = 4 };
  float slope;
  GAPCAM_DEVICE float of(float x) const { return leaky_relu(x, slope); }
  // It has the sign of x.
  GAPCAM_DEVICE float gradient(float x, float d) const { return leaky_relu_gradient(x, d, slope); }
};
template <int Kind>
struct KnownActivation {
  enum { loads = 4 };
  float a, b;
  GAPCAM_DEVICE float of(float x) const { return activate(Kind, a, b, x); }
  GAPCAM_DEVICE float gradient(float x, float d) const {
    return activation_gradient(Kind, a, b, Kind == activation_silu ? x : of(x), d);
  }
};
struct OtherActivation {
  enum { loads = 1 };
  int kind;
  float a, b;
  GAPCAM_DEVICE float of(float x) const { return activate(kind, a, b, x); }
  GAPCAM_DEVICE float gradient(float x, float d) const {
    const bool from_input = kind == activation_hard_swish || kind == activation_gelu;
    return activation_gradient(kind, a, b, from_input ? x : of(x), d);
  }
};

// run(activation) for one of the types above.
template <class Run>
GAPCAM_DEVICE void with_activation(int kind, float a, float b, const Run &run) {
  switch (kind) {
    case activation_identity:
      return run(NoActivation{});
    case activation_leaky_relu:
      return run(LeakyRelu{a});
    case activation_clip:
      return run(KnownActivation<activation_clip>{a, b});
    case activation_silu:
      return run(KnownActivation<activation_silu>{a, b});
    default:
      return run(OtherActivation{kind, a, b});
  }
}

// For each_position(): what before.value() makes of a value and its lane, plus `added`, which may
// be null or y, then the activation.
template <class T, class Before, class Activation>
struct CompletionBody {
  enum { loads = Activation::loads };
  const T *x, *added;
  T *y;
  Activation activation;
  Before before;
  struct Loaded {
    Group<T> v, other;
  };
  GAPCAM_DEVICE Loaded load_group(int64_t group) const {
    Loaded loaded;
    loaded.v = load(x, group);
    if (added) loaded.other = load(added, group);
    return loaded;
  }
  GAPCAM_DEVICE void take(int64_t group, Loaded loaded) const {
    for (int l = 0; l < Lanes<T>::count; l++) {
      float value = before.value(to_float(loaded.v.lane[l]), l);
      if (added) value += to_float(loaded.other.lane[l]);
      from_float(activation.of(value), &loaded.v.lane[l]);
    }
    store(y, group, loaded.v);
  }
};

}  // namespace gapcam::cuda
