// Linear layers. Part of kernels.cpp, which says what may be used here.
#pragma once

#include "blocks.h"

namespace gapcam::cpu {
namespace {

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

}  // namespace
}  // namespace gapcam::cpu
