// Maps in groups of 16 bytes, of f32 or bf16. Part of kernels.cu.
#pragma once

#include "layout.h"
#include "platform.h"

namespace gapcam::cuda {

struct Bf16 {
  uint16_t bits;
};

union FloatBits {
  float value;
  uint32_t bits;
};

GAPCAM_DEVICE float to_float(float x) { return x; }
GAPCAM_DEVICE float to_float(Bf16 x) {
  FloatBits u;
  u.bits = (uint32_t)x.bits << 16;
  return u.value;
}

GAPCAM_DEVICE void from_float(float x, float *y) { *y = x; }
// To the nearest, ties to even; NaN stays NaN.
GAPCAM_DEVICE void from_float(float x, Bf16 *y) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y->bits) : "f"(x));
#else
  FloatBits u;
  u.value = x;
  if ((u.bits & 0x7fffffffu) > 0x7f800000u) {
    y->bits = (uint16_t)((u.bits >> 16) | 0x40u);
  } else {
    y->bits = (uint16_t)((u.bits + 0x7fffu + ((u.bits >> 16) & 1u)) >> 16);
  }
#endif
}

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  enum { count = f32_lanes };
};
template <>
struct Lanes<Bf16> {
  enum { count = bf16_lanes };
};

// 16 bytes of a map.
template <class T>
struct alignas(16) Group {
  T lane[Lanes<T>::count];
};

template <class T>
GAPCAM_DEVICE Group<T> load(const T *x, int64_t group) {
  return reinterpret_cast<const Group<T> *>(x)[group];
}
template <class T>
GAPCAM_DEVICE void store(T *y, int64_t group, const Group<T> &value) {
  reinterpret_cast<Group<T> *>(y)[group] = value;
}

// A group's positions within windows, written and read at once.
template <class Index, int Count>
struct alignas(sizeof(Index) * Count) IndexGroup {
  Index lane[Count];
};

GAPCAM_DEVICE int64_t thread_index() { return (int64_t)blockIdx.x * blockDim.x + threadIdx.x; }

// operation(a, b) of two maps, value by value; y may be a or b.
template <class T, class Operation>
GAPCAM_DEVICE void combine_maps(const T *a, const T *b, T *y, int64_t groups,
                                const Operation &operation) {
  const int64_t i = thread_index();
  if (i >= groups) return;
  Group<T> v = load(a, i);
  const Group<T> w = load(b, i);
  for (int l = 0; l < Lanes<T>::count; l++) {
    from_float(operation(to_float(v.lane[l]), to_float(w.lane[l])), &v.lane[l]);
  }
  store(y, i, v);
}

// Where group i of a map lies: image, row, column, and which of the pixel's groups it is.
struct GroupPosition {
  int64_t image;
  int row, column, group;
};
GAPCAM_DEVICE GroupPosition group_position(int64_t i, int height, int width, int groups) {
  GroupPosition at;
  at.group = (int)(i % groups);
  int64_t rest = i / groups;
  at.column = (int)(rest % width);
  rest /= width;
  at.row = (int)(rest % height);
  at.image = rest / height;
  return at;
}

}  // namespace gapcam::cuda
