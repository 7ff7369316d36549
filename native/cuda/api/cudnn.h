// Our own declarations of the part of cuDNN 9's graph API that we use; see driver.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "driver.h"

namespace gapcam::cuda::cudnn {

using Status = int32_t;  // 0: success
using Handle = struct HandleObject *;
using Descriptor = void *;
using driver::Stream;

enum DescriptorType : int32_t {
  pointwise_descriptor = 0,
  convolution_descriptor = 1,
  engine_descriptor = 2,
  engine_configuration_descriptor = 3,
  engine_heuristic_descriptor = 4,
  execution_plan_descriptor = 5,
  convolution_forward_descriptor = 10,
  convolution_backward_filter_descriptor = 11,
  convolution_backward_data_descriptor = 12,
  operation_pointwise_descriptor = 13,
  operation_graph_descriptor = 15,
  variant_pack_descriptor = 16,
  tensor_descriptor = 17,
  device_properties_descriptor = 38
};

enum AttributeType : int32_t {
  type_handle = 0,
  type_data_type = 1,
  type_boolean = 2,
  type_int64 = 3,
  type_float = 4,
  type_double = 5,
  type_void_pointer = 6,
  type_convolution_mode = 7,
  type_heuristic_mode = 8,
  type_nan_propagation = 10,
  type_numerical_note = 11,
  type_pointwise_mode = 14,
  type_descriptor = 15,
  type_behavior_note = 19,
  type_char = 24
};

enum AttributeName : int32_t {
  pointwise_mode = 0,
  pointwise_math_precision = 1,
  pointwise_nan_propagation = 2,
  pointwise_relu_lower_clip = 3,
  pointwise_relu_upper_clip = 4,
  pointwise_relu_lower_clip_slope = 5,
  pointwise_swish_beta = 8,
  convolution_compute_type = 100,
  convolution_mode = 101,
  convolution_dilations = 102,
  convolution_strides = 103,
  convolution_post_paddings = 104,
  convolution_pre_paddings = 105,
  convolution_spatial_dimensions = 106,
  heuristic_mode = 200,
  heuristic_operation_graph = 201,
  heuristic_results = 202,
  heuristic_device_properties = 204,
  configuration_engine = 300,
  plan_handle = 400,
  plan_configuration = 401,
  plan_workspace_size = 402,
  plan_json = 405,
  plan_device_properties = 407,
  forward_alpha = 700,
  forward_beta = 701,
  forward_convolution = 702,
  forward_w = 703,
  forward_x = 704,
  forward_y = 705,
  backward_data_alpha = 706,
  backward_data_beta = 707,
  backward_data_convolution = 708,
  backward_data_w = 709,
  backward_data_dx = 710,
  backward_data_dy = 711,
  backward_filter_alpha = 712,
  backward_filter_beta = 713,
  backward_filter_convolution = 714,
  backward_filter_dw = 715,
  backward_filter_x = 716,
  backward_filter_dy = 717,
  operation_pointwise = 750,
  operation_pointwise_x = 751,
  operation_pointwise_b = 752,
  operation_pointwise_y = 753,
  operation_pointwise_dx = 756,
  operation_pointwise_dy = 757,
  graph_handle = 800,
  graph_operations = 801,
  tensor_byte_alignment = 900,
  tensor_data_type = 901,
  tensor_dimensions = 902,
  tensor_strides = 903,
  tensor_unique_id = 906,
  tensor_is_virtual = 907,
  variant_unique_ids = 1000,
  variant_data_pointers = 1001,
  variant_workspace = 1003,
  engine_global_index = 1301,
  engine_numerical_note = 1303,
  engine_behavior_note = 1305,
  device_properties_json = 2702
};

enum DataType : int32_t { data_float = 0, data_bfloat16 = 9 };
enum ConvolutionMode : int32_t { cross_correlation = 1 };
enum HeuristicMode : int32_t { heuristic_fallback = 2, heuristic_a = 3 };
enum PointwiseMode : int32_t {
  pointwise_add = 0,
  pointwise_relu_forward = 100,
  pointwise_gelu_forward = 104,
  pointwise_swish_forward = 106,
  pointwise_relu_backward = 200
};
enum NanPropagation : int32_t { propagate_nan = 1 };
enum NumericalNote : int32_t {
  note_tensor_core = 0,
  note_down_convert_inputs = 1,
  note_reduced_precision_reduction = 2,
  note_nondeterministic = 4,
  note_count = 10  // of cuDNN 9
};

enum BehaviorNote : int32_t {
  note_runtime_compilation = 0,
  behavior_note_count = 5  // of cuDNN 9
};

// F(name, result, parameters)
#define GAPCAM_CUDNN_FUNCTIONS(F)                                                         \
  F(cudnnGetVersion, size_t, ())                                                          \
  F(cudnnGetCudartVersion, size_t, ())                                                    \
  F(cudnnGetErrorString, const char *, (Status status))                                   \
  F(cudnnGetLastErrorString, void, (char *text, size_t capacity))                         \
  F(cudnnCreate, Status, (Handle * handle))                                               \
  F(cudnnDestroy, Status, (Handle handle))                                                \
  F(cudnnSetStream, Status, (Handle handle, Stream stream))                               \
  F(cudnnBackendCreateDescriptor, Status, (DescriptorType type, Descriptor * descriptor)) \
  F(cudnnBackendDestroyDescriptor, Status, (Descriptor descriptor))                       \
  F(cudnnBackendFinalize, Status, (Descriptor descriptor))                                \
  F(cudnnBackendSetAttribute, Status,                                                     \
    (Descriptor descriptor, AttributeName name, AttributeType type, int64_t count,        \
     const void *elements))                                                               \
  F(cudnnBackendGetAttribute, Status,                                                     \
    (Descriptor descriptor, AttributeName name, AttributeType type, int64_t capacity,     \
     int64_t * count, void *elements))                                                    \
  F(cudnnBackendExecute, Status, (Handle handle, Descriptor plan, Descriptor variant))

struct Functions {
#define GAPCAM_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  GAPCAM_CUDNN_FUNCTIONS(GAPCAM_MEMBER)
#undef GAPCAM_MEMBER
};

}  // namespace gapcam::cuda::cudnn
