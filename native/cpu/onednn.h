// The one place that knows which oneDNN this is. 2.x makes a primitive from an operation
// descriptor, 3.x straight from a primitive descriptor; the rest is alike.
#pragma once

#include <dnnl.hpp>
#include <limits>

namespace gapcam::cpu::onednn {

inline constexpr bool is_version_2 = DNNL_VERSION_MAJOR < 3;

// The memory descriptors, strides, dilation and padding of a convolution, in any direction. A
// descriptor of 0 dimensions stands for no bias.
struct ConvolutionDescription {
  dnnl::algorithm algorithm = dnnl::algorithm::convolution_direct;
  dnnl::memory::desc source, weights, bias, destination;
  dnnl::memory::dims strides, padding_low, padding_high;
  dnnl::memory::dims dilation;  // rows and columns left out between those of the kernel
  bool has_bias = false;
};

// Each returns an empty descriptor where the library has no implementation.

inline dnnl::convolution_forward::primitive_desc convolution_forward(
    const dnnl::engine &engine, const ConvolutionDescription &d,
    const dnnl::primitive_attr &attributes) {
  using dnnl::convolution_forward;
  const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR < 3
  const auto desc =
      d.has_bias
          ? convolution_forward::desc(kind, d.algorithm, d.source, d.weights, d.bias, d.destination,
                                      d.strides, d.dilation, d.padding_low, d.padding_high)
          : convolution_forward::desc(kind, d.algorithm, d.source, d.weights, d.destination,
                                      d.strides, d.dilation, d.padding_low, d.padding_high);
  return convolution_forward::primitive_desc(desc, attributes, engine, true);
#else
  if (d.has_bias) {
    return convolution_forward::primitive_desc(engine, kind, d.algorithm, d.source, d.weights,
                                               d.bias, d.destination, d.strides, d.dilation,
                                               d.padding_low, d.padding_high, attributes, true);
  }
  return convolution_forward::primitive_desc(engine, kind, d.algorithm, d.source, d.weights,
                                             d.destination, d.strides, d.dilation, d.padding_low,
                                             d.padding_high, attributes, true);
#endif
}

inline dnnl::convolution_backward_data::primitive_desc convolution_backward_data(
    const dnnl::engine &engine, const ConvolutionDescription &d,
    const dnnl::convolution_forward::primitive_desc &forward,
    const dnnl::primitive_attr &attributes) {
  using dnnl::convolution_backward_data;
#if DNNL_VERSION_MAJOR < 3
  const convolution_backward_data::desc desc(d.algorithm, d.source, d.weights, d.destination,
                                             d.strides, d.dilation, d.padding_low, d.padding_high);
  return convolution_backward_data::primitive_desc(desc, attributes, engine, forward, true);
#else
  return convolution_backward_data::primitive_desc(
      engine, d.algorithm, d.source, d.weights, d.destination, d.strides, d.dilation, d.padding_low,
      d.padding_high, forward, attributes, true);
#endif
}

inline dnnl::convolution_backward_weights::primitive_desc convolution_backward_weights(
    const dnnl::engine &engine, const ConvolutionDescription &d,
    const dnnl::convolution_forward::primitive_desc &forward,
    const dnnl::primitive_attr &attributes) {
  using dnnl::convolution_backward_weights;
#if DNNL_VERSION_MAJOR < 3
  const auto desc = d.has_bias ? convolution_backward_weights::desc(
                                     d.algorithm, d.source, d.weights, d.bias, d.destination,
                                     d.strides, d.dilation, d.padding_low, d.padding_high)
                               : convolution_backward_weights::desc(
                                     d.algorithm, d.source, d.weights, d.destination, d.strides,
                                     d.dilation, d.padding_low, d.padding_high);
  return convolution_backward_weights::primitive_desc(desc, attributes, engine, forward, true);
#else
  if (d.has_bias) {
    return convolution_backward_weights::primitive_desc(
        engine, d.algorithm, d.source, d.weights, d.bias, d.destination, d.strides, d.dilation,
        d.padding_low, d.padding_high, forward, attributes, true);
  }
  return convolution_backward_weights::primitive_desc(
      engine, d.algorithm, d.source, d.weights, d.destination, d.strides, d.dilation, d.padding_low,
      d.padding_high, forward, attributes, true);
#endif
}

// For slope 0 oneDNN takes the maximum of a value and 0, which on x86 is 0 for NaN. With a slope
// that counts as 0 where the primitive runs (see FlushDenormals) NaN times it stays NaN.
inline void append_leaky_relu(dnnl::post_ops &operations, float negative_slope) {
#if defined(__SSE__)
  if (negative_slope == 0.0f) negative_slope = std::numeric_limits<float>::denorm_min();
#endif
#if DNNL_VERSION_MAJOR < 3
  operations.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, negative_slope, 0.0f);
#else
  operations.append_eltwise(dnnl::algorithm::eltwise_relu, negative_slope, 0.0f);
#endif
}

}  // namespace gapcam::cpu::onednn
