// What an operation is beside its operands: one type for each kind, and the list of them all. Who
// handles operations handles every type in the list, or does not compile. `name` is for messages.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "dropout_shape.h"
#include "gapcam.h"
#include "window2d.h"

namespace gapcam {

// An index into Graph::values.
using ValueId = int;
constexpr ValueId no_value = -1;

struct Activation {
  gapcam_activation kind = GAPCAM_IDENTITY;
  float a = 0.0f, b = 0.0f;  // see gapcam_activation

  bool is_identity() const { return kind == GAPCAM_IDENTITY; }
  // Of a leaky ReLU or none.
  float slope() const { return is_identity() ? 1.0f : a; }
  // Whether its gradient needs only what it made, so that what it took need not be kept.
  bool differentiates_from_output() const {
    return kind != GAPCAM_SILU && kind != GAPCAM_HARD_SWISH && kind != GAPCAM_GELU;
  }
  bool operator==(const Activation &other) const {
    return kind == other.kind && a == other.a && b == other.b;
  }
};

// Operands and results of each kind, in order; one in brackets may be absent.

// images -> map
struct PrepareImages {
  static constexpr const char *name = "prepare_images";
  std::vector<float> mean, deviation;
};

// What a convolution's map is read by, where that is one max pool and nothing else.
enum class PoolAfter { none, halving /* 2x2, stride 2, no padding */, other };

// map, weight, [bias] -> map. Fusion may add:
//   activation  is applied to the output
//   fold        behind the bias the operands of a batch normalisation with fixed statistics:
//   weight,
//               bias, mean, variance
//   adds        behind all others a map that is added before the activation
//   pools       -> nothing, pooled map, [positions]
struct Conv2d {
  static constexpr const char *name = "conv2d";
  ConvolutionWindow window;
  int groups = 1;
  Activation activation;
  bool fold = false;
  float epsilon = 0.0f;  // fold
  bool adds = false;
  bool pools = false;
  PoolAfter pool_after = PoolAfter::none;
};

// A convolution's backward: which it is of, for shapes and layouts alone.
struct Conv2dGradient {
  ConvolutionWindow window;
  int groups = 1;
  ValueId input = no_value, output = no_value;
  bool bias = false;
  PoolAfter pool_after = PoolAfter::none;
  // The convolution's activation, and that of a fused pool: what arrives is the gradient of the map
  // (of the pooled map, if positions are an operand) after them.
  Activation activation;
};

// d_output, weight, [map after the activation], [positions] -> d_input. Fusion may add that what is
// made is the gradient before `input_activation`, which made the input: an operand of its own,
// behind the positions; and, `adds`, behind that another gradient of the input, which is added
// before.
struct Conv2dBackwardData : Conv2dGradient {
  static constexpr const char *name = "conv2d backward data";
  Activation input_activation;
  bool adds = false;
};

// d_output, input, [map after the activation], [positions] -> [d_weight], [d_bias]
struct Conv2dBackwardFilter : Conv2dGradient {
  static constexpr const char *name = "conv2d backward filter";
};

// map -> map
struct Unary {
  Activation activation;
};
// d_output, output (or input: see differentiates_from_output) -> d_input
struct UnaryBackward {
  Activation activation;
};

// map, map -> map; the second of a product may be a gate [N, C, 1, 1]
struct Binary {
  gapcam_binary kind = GAPCAM_ADD;
};
// d_output, map -> gradient of a gate [N, C, 1, 1] that the map was multiplied with
struct GateGradient {
  static constexpr const char *name = "multiply backward gate";
};

// map [N, C, H, W] -> [N, C * H * W] in the host's order, or back
struct Reshape {
  static constexpr const char *name = "reshape";
};

// maps of one size -> map, one after the other along channels
struct Concatenate {
  static constexpr const char *name = "concatenate";
};
// map -> its channels from `first` on, as many as the output has
struct Slice {
  static constexpr const char *name = "slice_channels";
  int64_t first = 0;
};
// d_output -> d_input
struct SliceBackward {
  static constexpr const char *name = "slice_channels backward";
  int64_t first = 0;
};
// map -> map: channel i * groups + g is channel g * (channels / groups) + i
struct ChannelShuffle {
  static constexpr const char *name = "channel_shuffle";
  int64_t groups = 1;
};

// map -> map, [positions of maxima within their windows]
struct MaxPool2d {
  static constexpr const char *name = "max_pool2d";
  Window2d window;
};
// d_output, positions, [pooled map] -> d_input. Fusion may add that what is made is the gradient
// before `input_activation`, which made what was pooled.
struct MaxPool2dBackward {
  static constexpr const char *name = "max_pool2d backward";
  Window2d window;
  ValueId output = no_value;  // for its shape
  Activation input_activation;
};

// map -> map
struct AveragePool2d {
  static constexpr const char *name = "average_pool2d";
  Window2d window;
  int padding_bottom = 0, padding_right = 0;
  bool count_include_pad = true;
};
// d_output -> d_input
struct AveragePool2dBackward : AveragePool2d {
  static constexpr const char *name = "average_pool2d backward";
};

// map, settings [2] -> map; its own backward
struct Dropout : DropoutShape {
  static constexpr const char *name = "dropout";
};

// map [N, C, H, W] -> [N, C]
struct GlobalAveragePool {
  static constexpr const char *name = "global_average_pool";
};
// d_output, [input] -> d_input. Fusion may add input_activation, as above.
struct GlobalAveragePoolBackward {
  static constexpr const char *name = "global_average_pool backward";
  Activation input_activation;
};

// map [N, C, H, W], weights [H, W] -> [N, C]
struct SpatialSum {
  static constexpr const char *name = "spatial_sum";
};

// map [N, C, h, w], rows [H, h], columns [w, W] -> map [N, C, H, W]
struct Resample {
  static constexpr const char *name = "resample";
};

struct Norm {
  float epsilon = 0.0f, momentum = 0.0f;
  Activation activation;  // after it, by fusion
};
// map, weight, bias, running mean, running variance -> map, [mean and 1 / deviation]. Fusion may
// add:
//   adds  behind all others a map that is added before the activation
struct BatchNorm2d : Norm {
  static constexpr const char *name = "batch_norm2d";
  bool adds = false;
};
// d_output, input, weight, bias, mean and 1 / deviation -> [d_input], [d_weight], [d_bias]
struct BatchNorm2dBackward : Norm {
  static constexpr const char *name = "batch_norm2d backward";
};

// [N, I], weight [O, I], [bias] -> [N, O]
struct Linear {
  static constexpr const char *name = "linear";
};
// d_output, input, weight -> [d_input], [d_weight], [d_bias]
struct LinearBackward {
  static constexpr const char *name = "linear backward";
};

struct LossAttributes {
  gapcam_loss kind = GAPCAM_CROSS_ENTROPY;
  float label_smoothing = 0.0f;
};
// logits, [labels], [targets], [weights], [metrics] -> loss, what its sum was divided by
struct Loss : LossAttributes {};
// d_loss, logits, [labels], [targets], [weights], what the loss was divided by -> d_logits
struct LossBackward : LossAttributes {};

// [what the caller gives; else ones] -> the gradient that backward begins with
struct OutputGradient {
  static constexpr const char *name = "output_gradient";
};

// own metrics, settings, metrics -> share; see gapcam_program_whole_batch
struct WholeBatch {
  static constexpr const char *name = "whole_batch";
};
// tensors, changed in place -> nothing
struct AllReduce {
  static constexpr const char *name = "all_reduce";
  size_t sums = 0;  // how many are summed; of the others the mean is taken
};
// gradients -> norm, factor
struct GradientNorm {
  static constexpr const char *name = "gradient_norm";
  float max_norm = 1.0f;
};
// settings, [factor], then for each parameter: parameter, gradient, [moment], [second moment] ->
// nothing
enum class UpdateKind { adam, sgd, blend };
struct Update {
  UpdateKind kind = UpdateKind::adam;
  static constexpr size_t first_parameter = 2;
  size_t operands_each() const {
    return kind == UpdateKind::adam ? 4 : kind == UpdateKind::sgd ? 3 : 2;
  }
};

using Attributes =
    std::variant<PrepareImages, Conv2d, Conv2dBackwardData, Conv2dBackwardFilter, Unary,
                 UnaryBackward, Binary, GateGradient, Reshape, Concatenate, Slice, SliceBackward,
                 ChannelShuffle, Dropout, MaxPool2d, MaxPool2dBackward, AveragePool2d,
                 AveragePool2dBackward, GlobalAveragePool, GlobalAveragePoolBackward, SpatialSum,
                 Resample, BatchNorm2d, BatchNorm2dBackward, Linear, LinearBackward, Loss,
                 LossBackward, OutputGradient, WholeBatch, AllReduce, GradientNorm, Update>;

}  // namespace gapcam
