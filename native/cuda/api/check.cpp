// Built where NVIDIA's headers are present, and only for its static_asserts: they hold our
// declarations in this folder against theirs. Nothing of it is linked.
#include <cublas_v2.h>
#include <cuda.h>
#include <cudnn.h>
#include <nvrtc.h>
#if __has_include(<nccl.h>)
#include <nccl.h>
#endif

#include <type_traits>

#include "cublas.h"
#include "cudnn.h"
#include "driver.h"
#include "nccl.h"
#include "nvrtc.h"

namespace gapcam::cuda {

// How a value is passed to a function: as a pointer, a float or an integer, and of which size.
template <class T>
constexpr int passed_as() {
  if (std::is_void_v<T>) return 0;
  if (std::is_pointer_v<T>) return 100;
  if constexpr (!std::is_void_v<T>) {
    return (std::is_floating_point_v<T> ? 200 : 300) + static_cast<int>(sizeof(T));
  }
}

// What a pointer points to, as far as it can be compared: opaque objects cannot.
template <class T>
constexpr int points_to() {
  using Target = std::remove_cv_t<std::remove_pointer_t<T>>;
  if constexpr (!std::is_pointer_v<T> || std::is_class_v<Target>) {
    return 0;
  } else {
    return passed_as<Target>();
  }
}

template <class Ours, class Theirs>
struct Same {
  static constexpr bool value = false;
};
template <class R, class... A, class S, class... B>
struct Same<R (*)(A...), S (*)(B...)> {
  static constexpr bool check() {
    if constexpr (sizeof...(A) != sizeof...(B)) {
      return false;
    } else {
      return passed_as<R>() == passed_as<S>() && ((passed_as<A>() == passed_as<B>()) && ...) &&
             ((points_to<A>() == points_to<B>()) && ...);
    }
  }
  static constexpr bool value = check();
};

#define GAPCAM_SAME(name, result, parameters)                              \
  static_assert(Same<decltype(Functions::name), decltype(&::name)>::value, \
                "our declaration of " #name " differs from NVIDIA's");
#ifdef NCCL_MAJOR
namespace nccl {
GAPCAM_NCCL_FUNCTIONS(GAPCAM_SAME)
static_assert(sizeof(UniqueId) == sizeof(ncclUniqueId) &&
              alignof(UniqueId) == alignof(ncclUniqueId));
static_assert(static_cast<int>(success) == static_cast<int>(ncclSuccess));
static_assert(static_cast<int>(remote_error) == static_cast<int>(ncclRemoteError));
static_assert(static_cast<int>(in_progress) == static_cast<int>(ncclInProgress));
static_assert(static_cast<int>(type_uint8) == static_cast<int>(ncclUint8));
static_assert(static_cast<int>(type_float32) == static_cast<int>(ncclFloat32));
static_assert(static_cast<int>(sum) == static_cast<int>(ncclSum));
}  // namespace nccl
#endif
namespace driver {
GAPCAM_DRIVER_FUNCTIONS(GAPCAM_SAME)
}
namespace nvrtc {
GAPCAM_NVRTC_FUNCTIONS(GAPCAM_SAME)
}
namespace cublas {
GAPCAM_CUBLAS_FUNCTIONS(GAPCAM_SAME)
}
namespace cudnn {
GAPCAM_CUDNN_FUNCTIONS(GAPCAM_SAME)
}

#define GAPCAM_EQUAL(ours, theirs) \
  static_assert(static_cast<int>(ours) == static_cast<int>(theirs), #ours " is not " #theirs)

GAPCAM_EQUAL(driver::success, CUDA_SUCCESS);
GAPCAM_EQUAL(driver::out_of_memory, CUDA_ERROR_OUT_OF_MEMORY);
GAPCAM_EQUAL(driver::not_initialized, CUDA_ERROR_NOT_INITIALIZED);
GAPCAM_EQUAL(driver::no_device, CUDA_ERROR_NO_DEVICE);
GAPCAM_EQUAL(driver::invalid_device, CUDA_ERROR_INVALID_DEVICE);
GAPCAM_EQUAL(driver::not_ready, CUDA_ERROR_NOT_READY);
GAPCAM_EQUAL(driver::first_capture_error, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
GAPCAM_EQUAL(driver::multiprocessor_count, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
GAPCAM_EQUAL(driver::compute_capability_major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
GAPCAM_EQUAL(driver::compute_capability_minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
GAPCAM_EQUAL(driver::stream_non_blocking, CU_STREAM_NON_BLOCKING);
GAPCAM_EQUAL(driver::event_default, CU_EVENT_DEFAULT);
GAPCAM_EQUAL(driver::event_disable_timing, CU_EVENT_DISABLE_TIMING);
GAPCAM_EQUAL(driver::capture_thread_local, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);

GAPCAM_EQUAL(0, NVRTC_SUCCESS);
GAPCAM_EQUAL(0, CUBLAS_STATUS_SUCCESS);
GAPCAM_EQUAL(0, MAJOR_VERSION);
GAPCAM_EQUAL(cublas::as_stored, CUBLAS_OP_N);
GAPCAM_EQUAL(cublas::transposed, CUBLAS_OP_T);
GAPCAM_EQUAL(cublas::pedantic_math, CUBLAS_PEDANTIC_MATH);
GAPCAM_EQUAL(cublas::tf32_math, CUBLAS_TF32_TENSOR_OP_MATH);

GAPCAM_EQUAL(0, CUDNN_STATUS_SUCCESS);
#define GAPCAM_DESCRIPTOR(ours, theirs) \
  GAPCAM_EQUAL(cudnn::ours##_descriptor, CUDNN_BACKEND_##theirs##_DESCRIPTOR)
GAPCAM_DESCRIPTOR(pointwise, POINTWISE);
GAPCAM_DESCRIPTOR(convolution, CONVOLUTION);
GAPCAM_DESCRIPTOR(engine, ENGINE);
GAPCAM_DESCRIPTOR(engine_configuration, ENGINECFG);
GAPCAM_DESCRIPTOR(engine_heuristic, ENGINEHEUR);
GAPCAM_DESCRIPTOR(execution_plan, EXECUTION_PLAN);
GAPCAM_DESCRIPTOR(convolution_forward, OPERATION_CONVOLUTION_FORWARD);
GAPCAM_DESCRIPTOR(convolution_backward_filter, OPERATION_CONVOLUTION_BACKWARD_FILTER);
GAPCAM_DESCRIPTOR(convolution_backward_data, OPERATION_CONVOLUTION_BACKWARD_DATA);
GAPCAM_DESCRIPTOR(operation_pointwise, OPERATION_POINTWISE);
GAPCAM_DESCRIPTOR(operation_graph, OPERATIONGRAPH);
GAPCAM_DESCRIPTOR(variant_pack, VARIANT_PACK);
GAPCAM_DESCRIPTOR(tensor, TENSOR);
GAPCAM_DESCRIPTOR(device_properties, DEVICEPROP);

#define GAPCAM_TYPE(ours, theirs) GAPCAM_EQUAL(cudnn::type_##ours, CUDNN_TYPE_##theirs)
GAPCAM_TYPE(handle, HANDLE);
GAPCAM_TYPE(data_type, DATA_TYPE);
GAPCAM_TYPE(boolean, BOOLEAN);
GAPCAM_TYPE(int64, INT64);
GAPCAM_TYPE(float, FLOAT);
GAPCAM_TYPE(double, DOUBLE);
GAPCAM_TYPE(void_pointer, VOID_PTR);
GAPCAM_TYPE(convolution_mode, CONVOLUTION_MODE);
GAPCAM_TYPE(heuristic_mode, HEUR_MODE);
GAPCAM_TYPE(nan_propagation, NAN_PROPOGATION);
GAPCAM_TYPE(numerical_note, NUMERICAL_NOTE);
GAPCAM_TYPE(pointwise_mode, POINTWISE_MODE);
GAPCAM_TYPE(descriptor, BACKEND_DESCRIPTOR);
GAPCAM_TYPE(behavior_note, BEHAVIOR_NOTE);
GAPCAM_TYPE(char, CHAR);

#define GAPCAM_ATTRIBUTE(ours, theirs) GAPCAM_EQUAL(cudnn::ours, CUDNN_ATTR_##theirs)
GAPCAM_ATTRIBUTE(pointwise_mode, POINTWISE_MODE);
GAPCAM_ATTRIBUTE(pointwise_math_precision, POINTWISE_MATH_PREC);
GAPCAM_ATTRIBUTE(pointwise_nan_propagation, POINTWISE_NAN_PROPAGATION);
GAPCAM_ATTRIBUTE(pointwise_relu_lower_clip, POINTWISE_RELU_LOWER_CLIP);
GAPCAM_ATTRIBUTE(pointwise_relu_upper_clip, POINTWISE_RELU_UPPER_CLIP);
GAPCAM_ATTRIBUTE(pointwise_relu_lower_clip_slope, POINTWISE_RELU_LOWER_CLIP_SLOPE);
GAPCAM_ATTRIBUTE(pointwise_swish_beta, POINTWISE_SWISH_BETA);
GAPCAM_ATTRIBUTE(convolution_compute_type, CONVOLUTION_COMP_TYPE);
GAPCAM_ATTRIBUTE(convolution_mode, CONVOLUTION_CONV_MODE);
GAPCAM_ATTRIBUTE(convolution_dilations, CONVOLUTION_DILATIONS);
GAPCAM_ATTRIBUTE(convolution_strides, CONVOLUTION_FILTER_STRIDES);
GAPCAM_ATTRIBUTE(convolution_post_paddings, CONVOLUTION_POST_PADDINGS);
GAPCAM_ATTRIBUTE(convolution_pre_paddings, CONVOLUTION_PRE_PADDINGS);
GAPCAM_ATTRIBUTE(convolution_spatial_dimensions, CONVOLUTION_SPATIAL_DIMS);
GAPCAM_ATTRIBUTE(heuristic_mode, ENGINEHEUR_MODE);
GAPCAM_ATTRIBUTE(heuristic_operation_graph, ENGINEHEUR_OPERATION_GRAPH);
GAPCAM_ATTRIBUTE(heuristic_results, ENGINEHEUR_RESULTS);
GAPCAM_ATTRIBUTE(configuration_engine, ENGINECFG_ENGINE);
GAPCAM_ATTRIBUTE(plan_handle, EXECUTION_PLAN_HANDLE);
GAPCAM_ATTRIBUTE(plan_configuration, EXECUTION_PLAN_ENGINE_CONFIG);
GAPCAM_ATTRIBUTE(plan_workspace_size, EXECUTION_PLAN_WORKSPACE_SIZE);
GAPCAM_ATTRIBUTE(plan_json, EXECUTION_PLAN_JSON_REPRESENTATION);
GAPCAM_ATTRIBUTE(forward_alpha, OPERATION_CONVOLUTION_FORWARD_ALPHA);
GAPCAM_ATTRIBUTE(forward_beta, OPERATION_CONVOLUTION_FORWARD_BETA);
GAPCAM_ATTRIBUTE(forward_convolution, OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
GAPCAM_ATTRIBUTE(forward_w, OPERATION_CONVOLUTION_FORWARD_W);
GAPCAM_ATTRIBUTE(forward_x, OPERATION_CONVOLUTION_FORWARD_X);
GAPCAM_ATTRIBUTE(forward_y, OPERATION_CONVOLUTION_FORWARD_Y);
GAPCAM_ATTRIBUTE(backward_data_alpha, OPERATION_CONVOLUTION_BWD_DATA_ALPHA);
GAPCAM_ATTRIBUTE(backward_data_beta, OPERATION_CONVOLUTION_BWD_DATA_BETA);
GAPCAM_ATTRIBUTE(backward_data_convolution, OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC);
GAPCAM_ATTRIBUTE(backward_data_w, OPERATION_CONVOLUTION_BWD_DATA_W);
GAPCAM_ATTRIBUTE(backward_data_dx, OPERATION_CONVOLUTION_BWD_DATA_DX);
GAPCAM_ATTRIBUTE(backward_data_dy, OPERATION_CONVOLUTION_BWD_DATA_DY);
GAPCAM_ATTRIBUTE(backward_filter_alpha, OPERATION_CONVOLUTION_BWD_FILTER_ALPHA);
GAPCAM_ATTRIBUTE(backward_filter_beta, OPERATION_CONVOLUTION_BWD_FILTER_BETA);
GAPCAM_ATTRIBUTE(backward_filter_convolution, OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC);
GAPCAM_ATTRIBUTE(backward_filter_dw, OPERATION_CONVOLUTION_BWD_FILTER_DW);
GAPCAM_ATTRIBUTE(backward_filter_x, OPERATION_CONVOLUTION_BWD_FILTER_X);
GAPCAM_ATTRIBUTE(backward_filter_dy, OPERATION_CONVOLUTION_BWD_FILTER_DY);
GAPCAM_ATTRIBUTE(operation_pointwise, OPERATION_POINTWISE_PW_DESCRIPTOR);
GAPCAM_ATTRIBUTE(operation_pointwise_x, OPERATION_POINTWISE_XDESC);
GAPCAM_ATTRIBUTE(operation_pointwise_b, OPERATION_POINTWISE_BDESC);
GAPCAM_ATTRIBUTE(operation_pointwise_y, OPERATION_POINTWISE_YDESC);
GAPCAM_ATTRIBUTE(operation_pointwise_dx, OPERATION_POINTWISE_DXDESC);
GAPCAM_ATTRIBUTE(operation_pointwise_dy, OPERATION_POINTWISE_DYDESC);
GAPCAM_ATTRIBUTE(graph_handle, OPERATIONGRAPH_HANDLE);
GAPCAM_ATTRIBUTE(graph_operations, OPERATIONGRAPH_OPS);
GAPCAM_ATTRIBUTE(tensor_byte_alignment, TENSOR_BYTE_ALIGNMENT);
GAPCAM_ATTRIBUTE(tensor_data_type, TENSOR_DATA_TYPE);
GAPCAM_ATTRIBUTE(tensor_dimensions, TENSOR_DIMENSIONS);
GAPCAM_ATTRIBUTE(tensor_strides, TENSOR_STRIDES);
GAPCAM_ATTRIBUTE(tensor_unique_id, TENSOR_UNIQUE_ID);
GAPCAM_ATTRIBUTE(tensor_is_virtual, TENSOR_IS_VIRTUAL);
GAPCAM_ATTRIBUTE(variant_unique_ids, VARIANT_PACK_UNIQUE_IDS);
GAPCAM_ATTRIBUTE(variant_data_pointers, VARIANT_PACK_DATA_POINTERS);
GAPCAM_ATTRIBUTE(variant_workspace, VARIANT_PACK_WORKSPACE);
GAPCAM_ATTRIBUTE(engine_global_index, ENGINE_GLOBAL_INDEX);
GAPCAM_ATTRIBUTE(engine_numerical_note, ENGINE_NUMERICAL_NOTE);
GAPCAM_ATTRIBUTE(engine_behavior_note, ENGINE_BEHAVIOR_NOTE);
#if CUDNN_VERSION >= 90800
GAPCAM_ATTRIBUTE(heuristic_device_properties, ENGINEHEUR_DEVICEPROP);
GAPCAM_ATTRIBUTE(plan_device_properties, EXECUTION_PLAN_DEVICEPROP);
GAPCAM_ATTRIBUTE(device_properties_json, DEVICEPROP_JSON_REPRESENTATION);
#endif

GAPCAM_EQUAL(cudnn::data_float, CUDNN_DATA_FLOAT);
GAPCAM_EQUAL(cudnn::data_bfloat16, CUDNN_DATA_BFLOAT16);
GAPCAM_EQUAL(cudnn::cross_correlation, CUDNN_CROSS_CORRELATION);
GAPCAM_EQUAL(cudnn::heuristic_fallback, CUDNN_HEUR_MODE_FALLBACK);
GAPCAM_EQUAL(cudnn::heuristic_a, CUDNN_HEUR_MODE_A);
GAPCAM_EQUAL(cudnn::pointwise_add, CUDNN_POINTWISE_ADD);
GAPCAM_EQUAL(cudnn::pointwise_relu_forward, CUDNN_POINTWISE_RELU_FWD);
GAPCAM_EQUAL(cudnn::pointwise_gelu_forward, CUDNN_POINTWISE_GELU_FWD);
GAPCAM_EQUAL(cudnn::pointwise_swish_forward, CUDNN_POINTWISE_SWISH_FWD);
GAPCAM_EQUAL(cudnn::pointwise_relu_backward, CUDNN_POINTWISE_RELU_BWD);
GAPCAM_EQUAL(cudnn::propagate_nan, CUDNN_PROPAGATE_NAN);
GAPCAM_EQUAL(cudnn::note_tensor_core, CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
GAPCAM_EQUAL(cudnn::note_down_convert_inputs, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
GAPCAM_EQUAL(cudnn::note_reduced_precision_reduction,
             CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION);
GAPCAM_EQUAL(cudnn::note_nondeterministic, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
GAPCAM_EQUAL(cudnn::note_runtime_compilation, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION);
static_assert(static_cast<int>(cudnn::note_count) >=
              static_cast<int>(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));

}  // namespace gapcam::cuda
