// One direction of one convolution by one algorithm: what oneDNN's convolutions and our Winograd
// ones look like to a program. The program times the candidates and keeps the fastest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "layout.h"

namespace gapcam::cpu {

enum class Direction { forward, backward_data, backward_filter };

struct ConvolutionShape : ConvolutionWindow {
  int64_t batch = 1;
  int64_t inputs = 1, height = 1, width = 1;  // input [batch, inputs, height, width]
  int64_t outputs = 1, output_height = 1, output_width = 1;
  int64_t groups = 1;  // weight [outputs, inputs / groups, kernel]

  int64_t weight_elements() const {
    return outputs * (inputs / groups) * kernel_height * kernel_width;
  }
  // Whether each channel is convolved by itself, to one or more of its own.
  bool is_depthwise() const { return groups > 1 && groups == inputs; }

  // Multiplications and additions of the direct algorithm, alike in all directions.
  double flops() const { return 2.0 * batch * weight_elements() * output_height * output_width; }
};

// What a candidate is asked for. A factory that cannot serve the request exactly returns null; it
// may leave `pool` to the program (see Convolution::fuses_pool).
struct ConvolutionRequest {
  ConvolutionShape shape;
  Direction direction = Direction::forward;
  Layout input, output;         // of the maps and of their gradients alike
  bool bias = true;             // forward: add a bias; backward_filter: compute its gradient
  bool adds = false;            // forward: to what `output` holds; see ConvolutionArguments
  float negative_slope = 1.0f;  // leaky ReLU after bias and sum; 1: none
  Activation activation;        // forward: another one there; see Convolution::fuses_activation
  bool pool = false;            // a 2x2 max pool with stride 2 and no padding follows
  bool keep_output = true;      // with pool: the map before the pool is wanted too
  bool keep_argmax = true;      // with pool: argmax is wanted (training)
  bool bf16 = false;            // may multiply in bf16; maps stay f32
  int threads = 1;              // as many as OpenMP has in the calling thread
};

// Pointers are 64-byte aligned and none overlap. Maps are f32 in the request's layouts, weights
// plain OIHW f32, argmax u8 in the pooled map's layout: 2 * row + column within the window, the
// first maximum in row-major order.
struct ConvolutionArguments {
  const float *input = nullptr;  // forward, backward_filter
  const void *weight = nullptr;  // forward, backward_data: made by transform_weight
  const float *bias = nullptr;   // forward: null if the request has none
  float *output = nullptr;       // forward; null if pool is fused and !keep_output. With `adds` it
                                 // holds the other summand, and then the sum.
  float *pooled = nullptr;       // forward, pool fused
  uint8_t *argmax = nullptr;     // forward, pool fused; null if !keep_argmax
  float *d_input = nullptr;      // backward_data
  float *d_weight = nullptr;     // backward_filter, plain OIHW
  float *d_bias = nullptr;       // backward_filter; null if the request has no bias
  void *scratch = nullptr;       // scratch_bytes() of it, shared with everybody else

  // backward: the gradient that arrives. With neither of the next two set it is the gradient
  // before the leaky ReLU, at full size. A convolution that fuses_gradient takes all forms.
  const float *d_output = nullptr;
  // The map after the leaky ReLU (after the pool, if d_argmax is set), whose sign decides.
  const float *d_output_sign = nullptr;
  // The pool's argmax: d_output is the gradient of the pooled map.
  const uint8_t *d_argmax = nullptr;
};

class Convolution {
 public:
  virtual ~Convolution() = default;

  // Such as "winograd f4x4 avx2" or "onednn jit:avx2".
  virtual std::string algorithm() const = 0;

  // forward: run() also does the pool (request.pool), else the program does.
  virtual bool fuses_pool() const { return false; }
  // forward: run() also does request.activation, else the program does.
  virtual bool fuses_activation() const { return false; }
  // backward: run() also does the backward of leaky ReLU and pool.
  virtual bool fuses_gradient() const { return false; }

  // Bytes of run()'s scratch; need not be zero on entry.
  virtual size_t scratch_bytes() const = 0;

  // Bytes of the transformed weight; 0 for backward_filter.
  virtual size_t weight_bytes() const = 0;
  // Plain OIHW to what run() takes as `weight`. Called when the parameter has changed. May use
  // `scratch`.
  virtual void transform_weight(const float *plain, void *transformed, void *scratch) = 0;

  // Allocates nothing, uses OpenMP with request.threads threads, and gives the same bytes for the
  // same arguments.
  virtual void run(const ConvolutionArguments &arguments) = 0;
};

// Our Winograd convolution, native/cpu/winograd. Null where it does not apply: it needs a 3x3
// kernel with stride 1, layouts it knows, and an instruction set that it was built for.
std::unique_ptr<Convolution> create_winograd_convolution(const ConvolutionRequest &request);

// Our depthwise one, cpu/depthwise.cpp. Null where it does not apply: it needs as many groups as
// channels, and both maps in blocks of 8 or 16.
std::unique_ptr<Convolution> create_depthwise_convolution(const ConvolutionRequest &request);

// Our direct one, cpu/blocked.cpp. Null where it does not apply: forward, or backward data of
// stride 1, between maps in blocks of a vector, of one group or of groups of 4 or 8.
// Registers hold 6 pixels of four blocks of outputs, or 8, or 7, of three (with AVX-512 alone).
enum class BlockedTile { many_outputs, long_rows };
std::unique_ptr<Convolution> create_blocked_convolution(
    const ConvolutionRequest &request, BlockedTile tile = BlockedTile::many_outputs);

// oneDNN's, direct. Null where it has none.
std::unique_ptr<Convolution> create_onednn_convolution(const ConvolutionRequest &request);

// The fastest for the request, timed once per process or remembered from an earlier one. Null where
// that one cannot add.
std::unique_ptr<Convolution> choose_convolution(const ConvolutionRequest &request);

// GAPCAM_CONVOLUTION: "direct", or "winograd", "blocked" or "depthwise" where it can serve, or ""
// for what is fastest.
std::string convolution_wish();

}  // namespace gapcam::cpu
