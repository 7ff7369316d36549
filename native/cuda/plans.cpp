#include "plans.h"

#include <algorithm>

#include "error.h"

namespace gapcam::cuda {

namespace {

const char *kind_name(GraphKind kind) {
  return kind == GraphKind::forward         ? "forward"
         : kind == GraphKind::backward_data ? "backward data"
                                            : "backward filter";
}

std::string activation_name(const Activation &activation) {
  switch (activation.kind) {
    case GAPCAM_LEAKY_RELU:
      return format(" leaky_relu %g", activation.a);
    case GAPCAM_CLIP:
      return format(" clip %g %g", activation.a, activation.b);
    case GAPCAM_SILU:
      return " silu";
    case GAPCAM_GELU:
      return " gelu";
    default:
      return "";
  }
}

cudnn::PointwiseMode mode_of(const Activation &activation) {
  return activation.kind == GAPCAM_SILU   ? cudnn::pointwise_swish_forward
         : activation.kind == GAPCAM_GELU ? cudnn::pointwise_gelu_forward
                                          : cudnn::pointwise_relu_forward;
}

}  // namespace

bool is_epilogue(const Activation &activation) {
  return activation.kind == GAPCAM_LEAKY_RELU || activation.kind == GAPCAM_SILU ||
         activation.kind == GAPCAM_GELU ||
         (activation.kind == GAPCAM_CLIP && activation.a == 0.0f && activation.b > 0.0f);
}

std::string GraphRequest::name() const {
  std::string text = format("%s [%lld, %lld, %lld, %lld] %lld x %d x %d", kind_name(kind),
                            static_cast<long long>(batch), static_cast<long long>(inputs),
                            static_cast<long long>(height), static_cast<long long>(width),
                            static_cast<long long>(outputs), kernel_height, kernel_width);
  if (stride_height != 1 || stride_width != 1) {
    text += format(" stride %d x %d", stride_height, stride_width);
  }
  text += format(" padding %d x %d", padding_height, padding_width);
  if (!is_symmetric()) text += format(" to %d x %d", padding_bottom, padding_right);
  if (is_dilated()) text += format(" dilation %d x %d", dilation_height, dilation_width);
  if (groups != 1) text += format(" groups %lld", static_cast<long long>(groups));
  if (bias) text += " bias";
  if (adds) text += " sum";
  text += activation_name(activation);
  if (own) text += " by our kernel";
  text += type == cudnn::data_bfloat16 ? " bf16" : tf32 ? " tf32" : " f32";
  if (kind == GraphKind::backward_filter && gradient_type != type) text += " to f32";
  return text;
}

namespace {

struct TensorShape {
  int64_t id, n, c, h, w;
  cudnn::DataType type;
  bool is_virtual = false;
};

void describe_tensor(OwnedDescriptor &tensor, const TensorShape &shape) {
  const int64_t dimensions[4] = {shape.n, shape.c, shape.h, shape.w};
  const int64_t strides[4] = {shape.h * shape.w * shape.c, 1, shape.w * shape.c, shape.c};
  const int64_t alignment = 16;
  tensor.set(cudnn::tensor_unique_id, cudnn::type_int64, &shape.id);
  tensor.set(cudnn::tensor_data_type, cudnn::type_data_type, &shape.type);
  tensor.set(cudnn::tensor_byte_alignment, cudnn::type_int64, &alignment);
  tensor.set(cudnn::tensor_dimensions, cudnn::type_int64, dimensions, 4);
  tensor.set(cudnn::tensor_strides, cudnn::type_int64, strides, 4);
  if (shape.is_virtual)
    tensor.set(cudnn::tensor_is_virtual, cudnn::type_boolean, &shape.is_virtual);
  tensor.finalise();
}

}  // namespace

OwnedDescriptor &PlannedGraph::make(cudnn::DescriptorType type) {
  parts_->push_back(std::make_unique<OwnedDescriptor>(target_.libraries(), type));
  return *parts_->back();
}

PlannedGraph::PlannedGraph(const PlanTarget &target, const GraphRequest &request)
    : target_(target) {
  const cudnn::DataType compute = cudnn::data_float;
  const auto tensor = [&](const TensorShape &shape) -> OwnedDescriptor & {
    OwnedDescriptor &made = make(cudnn::tensor_descriptor);
    describe_tensor(made, shape);
    return made;
  };
  std::vector<cudnn::Descriptor> operations;

  OwnedDescriptor &convolution = make(cudnn::convolution_descriptor);
  const cudnn::ConvolutionMode mode = cudnn::cross_correlation;
  const int64_t spatial = 2;
  const int64_t dilations[2] = {request.dilation_height, request.dilation_width};
  const int64_t strides[2] = {request.stride_height, request.stride_width};
  const int64_t before[2] = {request.padding_height, request.padding_width};
  const int64_t after[2] = {request.padding_bottom, request.padding_right};
  convolution.set(cudnn::convolution_compute_type, cudnn::type_data_type, &compute);
  convolution.set(cudnn::convolution_mode, cudnn::type_convolution_mode, &mode);
  convolution.set(cudnn::convolution_spatial_dimensions, cudnn::type_int64, &spatial);
  convolution.set(cudnn::convolution_dilations, cudnn::type_int64, dilations, 2);
  convolution.set(cudnn::convolution_strides, cudnn::type_int64, strides, 2);
  convolution.set(cudnn::convolution_pre_paddings, cudnn::type_int64, before, 2);
  convolution.set(cudnn::convolution_post_paddings, cudnn::type_int64, after, 2);
  convolution.finalise();

  const TensorShape map_x{id_x,           request.batch, request.inputs,
                          request.height, request.width, request.type};
  const TensorShape map_y{
      id_y,        request.batch, request.outputs, request.output_height, request.output_width,
      request.type};
  // cuDNN takes the number of groups from the channels.
  const TensorShape filter{id_w,
                           request.outputs,
                           request.inputs / request.groups,
                           request.kernel_height,
                           request.kernel_width,
                           request.type};
  // What a fused graph hands from one operation to the next: f32 that never reaches memory.
  int64_t next_virtual = 100;
  const auto between = [&](TensorShape shape) -> OwnedDescriptor & {
    shape.id = next_virtual++;
    shape.type = compute;
    shape.is_virtual = true;
    return tensor(shape);
  };
  const auto pointwise = [&](cudnn::PointwiseMode what) -> OwnedDescriptor & {
    OwnedDescriptor &made = make(cudnn::pointwise_descriptor);
    made.set(cudnn::pointwise_mode, cudnn::type_pointwise_mode, &what);
    made.set(cudnn::pointwise_math_precision, cudnn::type_data_type, &compute);
    if (what == cudnn::pointwise_swish_forward) {
      const double beta = 1.0;
      made.set(cudnn::pointwise_swish_beta, cudnn::type_double, &beta);
    }
    if (what == cudnn::pointwise_relu_forward || what == cudnn::pointwise_relu_backward) {
      // By default NaN may become 0.
      const cudnn::NanPropagation nan = cudnn::propagate_nan;
      made.set(cudnn::pointwise_nan_propagation, cudnn::type_nan_propagation, &nan);
      const bool clips = request.activation.kind == GAPCAM_CLIP;
      const double lower = 0.0, upper = static_cast<double>(request.activation.b),
                   slope = clips ? 0.0 : static_cast<double>(request.activation.a);
      made.set(cudnn::pointwise_relu_lower_clip, cudnn::type_double, &lower);
      made.set(cudnn::pointwise_relu_lower_clip_slope, cudnn::type_double, &slope);
      if (clips) made.set(cudnn::pointwise_relu_upper_clip, cudnn::type_double, &upper);
    }
    made.finalise();
    return made;
  };
  const auto scale = [&](OwnedDescriptor &operation, cudnn::AttributeName alpha,
                         cudnn::AttributeName beta) {
    const float one = 1.0f, zero = 0.0f;
    operation.set(alpha, cudnn::type_float, &one);
    operation.set(beta, cudnn::type_float, &zero);
  };

  if (request.kind == GraphKind::forward) {
    OwnedDescriptor *made = &(request.fused() ? between(map_y) : tensor(map_y));
    OwnedDescriptor &operation = make(cudnn::convolution_forward_descriptor);
    operation.set_descriptor(cudnn::forward_convolution, convolution);
    operation.set_descriptor(cudnn::forward_x, tensor(map_x));
    operation.set_descriptor(cudnn::forward_w, tensor(filter));
    operation.set_descriptor(cudnn::forward_y, *made);
    scale(operation, cudnn::forward_alpha, cudnn::forward_beta);
    operation.finalise();
    operations.push_back(operation.get());
    // `with`: null, or what the operation takes beside what was made.
    const auto then = [&](cudnn::PointwiseMode mode, OwnedDescriptor *with, bool is_last) {
      OwnedDescriptor &next = is_last ? tensor(map_y) : between(map_y);
      OwnedDescriptor &one = make(cudnn::operation_pointwise_descriptor);
      one.set_descriptor(cudnn::operation_pointwise, pointwise(mode));
      one.set_descriptor(cudnn::operation_pointwise_x, *made);
      if (with) one.set_descriptor(cudnn::operation_pointwise_b, *with);
      one.set_descriptor(cudnn::operation_pointwise_y, next);
      one.finalise();
      operations.push_back(one.get());
      made = &next;
    };
    const bool activates = request.activates();
    if (request.bias) {
      then(cudnn::pointwise_add, &tensor({id_bias, 1, request.outputs, 1, 1, cudnn::data_float}),
           !request.adds && !activates);
    }
    if (request.adds) {
      TensorShape added = map_y;
      added.id = id_added;
      then(cudnn::pointwise_add, &tensor(added), !activates);
    }
    if (activates) then(mode_of(request.activation), nullptr, true);
  } else if (request.kind == GraphKind::backward_data) {
    OwnedDescriptor &d_x = request.fused() ? between(map_x) : tensor(map_x);
    OwnedDescriptor &operation = make(cudnn::convolution_backward_data_descriptor);
    operation.set_descriptor(cudnn::backward_data_convolution, convolution);
    operation.set_descriptor(cudnn::backward_data_w, tensor(filter));
    operation.set_descriptor(cudnn::backward_data_dy, tensor(map_y));
    operation.set_descriptor(cudnn::backward_data_dx, d_x);
    scale(operation, cudnn::backward_data_alpha, cudnn::backward_data_beta);
    operation.finalise();
    operations.push_back(operation.get());
    OwnedDescriptor *sum = &d_x;
    if (request.adds) {
      TensorShape other = map_x;
      other.id = id_added;
      sum = &(request.activates() ? between(map_x) : tensor(map_x));
      OwnedDescriptor &add = make(cudnn::operation_pointwise_descriptor);
      add.set_descriptor(cudnn::operation_pointwise, pointwise(cudnn::pointwise_add));
      add.set_descriptor(cudnn::operation_pointwise_x, d_x);
      add.set_descriptor(cudnn::operation_pointwise_b, tensor(other));
      add.set_descriptor(cudnn::operation_pointwise_y, *sum);
      add.finalise();
      operations.push_back(add.get());
    }
    if (request.activates()) {
      TensorShape made = map_x;
      made.id = id_made;
      OwnedDescriptor &gradient = make(cudnn::operation_pointwise_descriptor);
      gradient.set_descriptor(cudnn::operation_pointwise,
                              pointwise(cudnn::pointwise_relu_backward));
      gradient.set_descriptor(cudnn::operation_pointwise_dy, *sum);
      gradient.set_descriptor(cudnn::operation_pointwise_x, tensor(made));
      gradient.set_descriptor(cudnn::operation_pointwise_dx, tensor(map_x));
      gradient.finalise();
      operations.push_back(gradient.get());
    }
  } else {
    TensorShape d_filter = filter;
    d_filter.type = request.gradient_type;
    OwnedDescriptor &operation = make(cudnn::convolution_backward_filter_descriptor);
    operation.set_descriptor(cudnn::backward_filter_convolution, convolution);
    operation.set_descriptor(cudnn::backward_filter_x, tensor(map_x));
    operation.set_descriptor(cudnn::backward_filter_dy, tensor(map_y));
    operation.set_descriptor(cudnn::backward_filter_dw, tensor(d_filter));
    scale(operation, cudnn::backward_filter_alpha, cudnn::backward_filter_beta);
    operation.finalise();
    operations.push_back(operation.get());
  }

  graph_ = &make(cudnn::operation_graph_descriptor);
  graph_->set(cudnn::graph_operations, cudnn::type_descriptor, operations.data(),
              static_cast<int64_t>(operations.size()));
  target.apply_to_graph(*graph_);
  graph_->finalise();
  propose(cudnn::heuristic_a, request);
  propose(cudnn::heuristic_fallback, request);
}

namespace {

// Whether an engine keeps the promise of the precision and gives the same bytes at each run.
bool permitted(const OwnedDescriptor &engine, const GraphRequest &request) {
  cudnn::NumericalNote notes[cudnn::note_count];
  const int64_t count = engine.get(cudnn::engine_numerical_note, cudnn::type_numerical_note, notes,
                                   cudnn::note_count);
  for (int64_t i = 0; i < count; i++) {
    switch (notes[i]) {
      case cudnn::note_nondeterministic:
      case cudnn::note_down_convert_inputs:
      case cudnn::note_reduced_precision_reduction:
        return false;
      case cudnn::note_tensor_core:
        if (request.type == cudnn::data_float && !request.tf32) return false;
        break;
      default:
        break;
    }
  }
  return true;
}

bool compiles_when_built(const OwnedDescriptor &engine) {
  cudnn::BehaviorNote notes[cudnn::behavior_note_count];
  const int64_t count = engine.get(cudnn::engine_behavior_note, cudnn::type_behavior_note, notes,
                                   cudnn::behavior_note_count);
  return std::find(notes, notes + count, cudnn::note_runtime_compilation) != notes + count;
}

int64_t workspace_of(const OwnedDescriptor &plan) {
  int64_t bytes = 0;
  plan.get(cudnn::plan_workspace_size, cudnn::type_int64, &bytes, 1);
  return bytes;
}

}  // namespace

void PlannedGraph::propose(cudnn::HeuristicMode mode, const GraphRequest &request) {
  constexpr int64_t most = 24;
  OwnedDescriptor heuristic(target_.libraries(), cudnn::engine_heuristic_descriptor);
  heuristic.set_descriptor(cudnn::heuristic_operation_graph, *graph_);
  heuristic.set(cudnn::heuristic_mode, cudnn::type_heuristic_mode, &mode);
  target_.apply_to_heuristic(heuristic);
  // A mode that knows nothing of the graph is no error: another may.
  if (heuristic.try_finalise() != 0) return;
  std::vector<std::shared_ptr<OwnedDescriptor>> results;
  std::vector<cudnn::Descriptor> places;
  for (int64_t i = 0; i < most; i++) {
    results.push_back(std::make_shared<OwnedDescriptor>(target_.libraries(),
                                                        cudnn::engine_configuration_descriptor));
    places.push_back(results.back()->get());
  }
  const int64_t count =
      heuristic.get(cudnn::heuristic_results, cudnn::type_descriptor, places.data(), most);
  for (int64_t i = 0; i < count; i++) {
    Configuration made;
    made.descriptor = results[static_cast<size_t>(i)];
    OwnedDescriptor engine(target_.libraries(), cudnn::engine_descriptor);
    cudnn::Descriptor place = engine.get();
    made.descriptor->get(cudnn::configuration_engine, cudnn::type_descriptor, &place, 1);
    if (!permitted(engine, request)) continue;
    engine.get(cudnn::engine_global_index, cudnn::type_int64, &made.engine, 1);
    made.compiled = compiles_when_built(engine);
    configurations_.push_back(std::move(made));
  }
}

std::unique_ptr<Plan> PlannedGraph::build(size_t ordinal, std::string *reason) const {
  const Configuration &configuration = configurations_[ordinal];
  OwnedDescriptor descriptor(target_.libraries(), cudnn::execution_plan_descriptor);
  target_.apply_to_plan(descriptor);
  descriptor.set_descriptor(cudnn::plan_configuration, *configuration.descriptor);
  if (const cudnn::Status status = descriptor.try_finalise(); status != 0) {
    if (reason) *reason = reason_of(target_.libraries(), status);
    return nullptr;
  }
  auto plan = std::make_unique<Plan>(std::move(descriptor));
  plan->workspace = workspace_of(plan->descriptor);
  plan->engine = configuration.engine;
  plan->ordinal = static_cast<int>(ordinal);
  plan->compiled = configuration.compiled;
  plan->made_of =
      std::make_shared<std::pair<std::shared_ptr<Parts>, Configuration>>(parts_, configuration);
  return plan;
}

std::string plan_text(const Plan &plan) {
  try {
    std::string text(static_cast<size_t>(plan.descriptor.count(cudnn::plan_json, cudnn::type_char)),
                     '\0');
    const int64_t count = plan.descriptor.get(cudnn::plan_json, cudnn::type_char, text.data(),
                                              static_cast<int64_t>(text.size()));
    return text.substr(0, static_cast<size_t>(count));
  } catch (const Error &) {
    return "";
  }
}

std::unique_ptr<Plan> restore_plan(const PlanTarget &target, const std::string &text) {
  try {
    OwnedDescriptor descriptor(target.libraries(), cudnn::execution_plan_descriptor);
    target.apply_to_plan(descriptor);
    descriptor.set(cudnn::plan_json, cudnn::type_char, text.data(),
                   static_cast<int64_t>(text.size()));
    descriptor.finalise();
    auto plan = std::make_unique<Plan>(std::move(descriptor));
    plan->workspace = workspace_of(plan->descriptor);
    plan->compiled = true;
    return plan;
  } catch (const Error &) {
    return nullptr;
  }
}

cudnn::Status execute(const Libraries &libraries, cudnn::Handle handle, const Plan &plan,
                      const std::vector<int64_t> &ids, const std::vector<void *> &pointers,
                      void *workspace) {
  OwnedDescriptor variant(libraries, cudnn::variant_pack_descriptor);
  const auto count = static_cast<int64_t>(ids.size());
  variant.set(cudnn::variant_unique_ids, cudnn::type_int64, ids.data(), count);
  variant.set(cudnn::variant_data_pointers, cudnn::type_void_pointer, pointers.data(), count);
  variant.set(cudnn::variant_workspace, cudnn::type_void_pointer, &workspace);
  variant.finalise();
  return libraries.cudnn.cudnnBackendExecute(handle, plan.descriptor.get(), variant.get());
}

}  // namespace gapcam::cuda
