// Convolutions as plain sums, for those that cuDNN has no plan for: in groups that 16 bytes of
// channels do not meet. Part of kernels.cu.
#pragma once

#include "elementwise.h"
#include "groups.h"

namespace gapcam::cuda {

// Weights are f32 [outputs, kernel height, kernel width, inputs of a group], biases f32. The sum is
// taken in f32. `added`: null, or a map like y that is added before the activation.
template <class T>
GAPCAM_DEVICE void direct_forward(const T *x, const float *weight, const float *bias,
                                  const T *added, T *y, const DirectShape &s, int kind, float a,
                                  float b) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.stored_outputs / lanes;
  const int64_t i = thread_index(), pixel = i / groups;
  const int ow = (int)(pixel % s.output_width);
  const int oh = (int)(pixel / s.output_width % s.output_height);
  const int64_t n = pixel / s.output_width / s.output_height;
  if (n >= s.batch) return;
  Group<T> made, other;
  if (added) other = load(added, i);
  GAPCAM_NO_UNROLL
  for (int l = 0; l < lanes; l++) {
    const int o = (int)(i % groups) * lanes + l;
    float sum = 0.0f;
    if (o < s.outputs) {
      if (bias) sum = bias[o];
      const float *w = weight + (int64_t)o * s.kernel_height * s.kernel_width * s.group_inputs;
      for (int k = 0; k < s.kernel_height; k++) {
        const int ih = oh * s.stride_height - s.padding_height + k * s.dilation_height;
        if (ih < 0 || ih >= s.height) {
          w += s.kernel_width * s.group_inputs;
          continue;
        }
        for (int j = 0; j < s.kernel_width; j++, w += s.group_inputs) {
          const int iw = ow * s.stride_width - s.padding_width + j * s.dilation_width;
          if (iw < 0 || iw >= s.width) continue;
          const T *from = x + ((n * s.height + ih) * s.width + iw) * s.stored_inputs +
                          o / s.group_outputs * s.group_inputs;
          for (int c = 0; c < s.group_inputs; c++) sum += to_float(from[c]) * w[c];
        }
      }
      if (added) sum += to_float(other.lane[l]);
      sum = activate(kind, a, b, sum);
    }
    from_float(sum, &made.lane[l]);
  }
  store(y, i, made);
}

// added: null, or another gradient that is added. made: null, or the map that a leaky ReLU made of
// what d_x is the gradient after.
template <class T>
GAPCAM_DEVICE void direct_backward_data(const T *d_y, const float *weight, const T *added,
                                        const T *made, T *d_x, const DirectShape &s, float slope) {
  enum { lanes = Lanes<T>::count };
  const int groups = s.stored_inputs / lanes;
  const int64_t i = thread_index(), pixel = i / groups;
  const int iw = (int)(pixel % s.width);
  const int ih = (int)(pixel / s.width % s.height);
  const int64_t n = pixel / s.width / s.height;
  if (n >= s.batch) return;
  Group<T> known, other;
  if (added) other = load(added, i);
  if (made) known = load(made, i);
  Group<T> out;
  GAPCAM_NO_UNROLL
  for (int l = 0; l < lanes; l++) {
    const int c = (int)(i % groups) * lanes + l;
    float sum = 0.0f;
    if (c < s.inputs) {
      const int first = c / s.group_inputs * s.group_outputs;
      for (int k = 0; k < s.kernel_height; k++) {
        const int down = ih + s.padding_height - k * s.dilation_height;
        const int oh = down / s.stride_height;
        if (down < 0 || down % s.stride_height != 0 || oh >= s.output_height) continue;
        for (int j = 0; j < s.kernel_width; j++) {
          const int right = iw + s.padding_width - j * s.dilation_width;
          const int ow = right / s.stride_width;
          if (right < 0 || right % s.stride_width != 0 || ow >= s.output_width) continue;
          const T *from =
              d_y + ((n * s.output_height + oh) * s.output_width + ow) * s.stored_outputs + first;
          for (int o = 0; o < s.group_outputs; o++) {
            const int64_t tap = ((int64_t)(first + o) * s.kernel_height + k) * s.kernel_width + j;
            sum += to_float(from[o]) * weight[tap * s.group_inputs + c % s.group_inputs];
          }
        }
      }
      if (added) sum += to_float(other.lane[l]);
      if (made) sum = leaky_relu_gradient(to_float(known.lane[l]), sum, slope);
    }
    from_float(sum, &out.lane[l]);
  }
  store(d_x, i, out);
}

// One block for each weight; its threads share the positions.
template <class T>
GAPCAM_DEVICE void direct_backward_filter(const T *x, const T *d_y, float *d_weight,
                                          const DirectShape &s) {
  GAPCAM_SHARED float shared[block_threads];
  const int64_t tap = (int64_t)blockIdx.x / s.group_inputs;
  const int o = (int)(tap / (s.kernel_height * s.kernel_width));
  const int c = o / s.group_outputs * s.group_inputs + (int)(blockIdx.x % s.group_inputs);
  const int down = (int)(tap / s.kernel_width % s.kernel_height) * s.dilation_height;
  const int right = (int)(tap % s.kernel_width) * s.dilation_width;
  const int64_t positions = (int64_t)s.batch * s.output_height * s.output_width;
  float sum = 0.0f;
  for (int64_t p = threadIdx.x; p < positions; p += block_threads) {
    const int ow = (int)(p % s.output_width);
    const int oh = (int)(p / s.output_width % s.output_height);
    const int64_t n = p / s.output_width / s.output_height;
    const int ih = oh * s.stride_height - s.padding_height + down;
    const int iw = ow * s.stride_width - s.padding_width + right;
    if (ih < 0 || ih >= s.height || iw < 0 || iw >= s.width) continue;
    sum += to_float(x[((n * s.height + ih) * s.width + iw) * s.stored_inputs + c]) *
           to_float(d_y[p * s.stored_outputs + o]);
  }
  shared[threadIdx.x] = sum;
  GAPCAM_SYNCHRONISE();
  if (threadIdx.x != 0) return;
  double total = 0.0;
  for (int i = 0; i < block_threads; i++) total += (double)shared[i];
  d_weight[blockIdx.x] = (float)total;
}

#define GAPCAM_DIRECT(type, T)                                                                    \
  GAPCAM_KERNEL direct_forward_##type(const T *x, const float *weight, const float *bias,         \
                                      const T *added, T *y, DirectShape shape, int kind, float a, \
                                      float b) {                                                  \
    direct_forward(x, weight, bias, added, y, shape, kind, a, b);                                 \
  }                                                                                               \
  GAPCAM_KERNEL direct_backward_data_##type(const T *d_y, const float *weight, const T *added,    \
                                            const T *made, T *d_x, DirectShape shape,             \
                                            float slope) {                                        \
    direct_backward_data(d_y, weight, added, made, d_x, shape, slope);                            \
  }                                                                                               \
  GAPCAM_KERNEL direct_backward_filter_##type(const T *x, const T *d_y, float *d_weight,          \
                                              DirectShape shape) {                                \
    direct_backward_filter(x, d_y, d_weight, shape);                                              \
  }
GAPCAM_DIRECT(f32, float)
GAPCAM_DIRECT(bf16, Bf16)
#undef GAPCAM_DIRECT

}  // namespace gapcam::cuda
