// libcudnn.so.9: descriptors as cuDNN's, checked where cuDNN checks, and the graphs that gapcam
// builds executed by plain loops.
#include "api/cudnn.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "elementwise.h"
#include "sim.h"

namespace gapcam::cuda::cudnn {

#define CUDASIM_DECLARE(name, result, parameters) \
  extern "C" __attribute__((visibility("default"))) result name parameters;
GAPCAM_CUDNN_FUNCTIONS(CUDASIM_DECLARE)
#undef CUDASIM_DECLARE

struct HandleObject {
  Stream stream = nullptr;
};

namespace {

constexpr Status not_initialized = 1001, bad_param = 2000, not_finalized = 2004,
                 not_supported = 3000, execution_failed = 5000;
constexpr int64_t workspace_bytes = 1000;
constexpr int64_t compiling_engine = 1;

thread_local std::string last_error;

Status refuse(Status status, const std::string &reason) {
  last_error = reason;
  return status;
}

struct Object;
using Shared = std::shared_ptr<Object>;

// A descriptor: attributes as they were set, and what it refers to, kept alive.
struct Object {
  DescriptorType type;
  bool finalised = false;
  bool destroyed = false;  // by its caller; what refers to it may not use it any more
  struct Attribute {
    AttributeType type;
    int64_t count;
    std::string bytes;
    std::vector<Shared> references;
  };
  std::map<AttributeName, Attribute> attributes;

  bool has(AttributeName name) const { return attributes.count(name) != 0; }
  template <class T>
  T value(AttributeName name, size_t index = 0) const {
    T made{};
    const auto found = attributes.find(name);
    if (found == attributes.end()) return made;
    std::memcpy(&made, found->second.bytes.data() + index * sizeof(T), sizeof(T));
    return made;
  }
  const Object &reference(AttributeName name) const {
    return *attributes.at(name).references.at(0);
  }
};

struct Holder {
  Shared object;
};

Object &object(Descriptor descriptor) { return *static_cast<Holder *>(descriptor)->object; }

size_t element_bytes(AttributeType type) {
  switch (type) {
    case type_handle:
    case type_int64:
    case type_double:
    case type_void_pointer:
    case type_descriptor:
      return 8;
    case type_boolean:
    case type_char:
      return 1;
    default:
      return 4;
  }
}

// ---- Execution --------------------------------------------------------------------------------

struct Tensor {
  int64_t id, n, c, h, w;
  int64_t stride[4];
  DataType type;
  bool is_virtual;
  int64_t count() const { return n * c * h * w; }
  int64_t offset(int64_t i, int64_t j, int64_t y, int64_t x) const {
    return i * stride[0] + j * stride[1] + y * stride[2] + x * stride[3];
  }
};

Tensor tensor_of(const Object &o) {
  Tensor t{};
  t.id = o.value<int64_t>(tensor_unique_id);
  t.n = o.value<int64_t>(tensor_dimensions, 0);
  t.c = o.value<int64_t>(tensor_dimensions, 1);
  t.h = o.value<int64_t>(tensor_dimensions, 2);
  t.w = o.value<int64_t>(tensor_dimensions, 3);
  for (size_t i = 0; i < 4; i++) t.stride[i] = o.value<int64_t>(tensor_strides, i);
  t.type = o.value<DataType>(tensor_data_type);
  t.is_virtual = o.value<bool>(tensor_is_virtual);
  return t;
}

float widen(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

uint16_t narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Tensors while a graph runs: NCHW f32, by id.
class Values {
 public:
  explicit Values(std::map<int64_t, void *> pointers) : pointers_(std::move(pointers)) {}

  std::vector<float> &read(const Tensor &t) {
    auto found = values_.find(t.id);
    if (found != values_.end()) return found->second;
    std::vector<float> &made = values_[t.id];
    made.resize(static_cast<size_t>(t.count()));
    each(t, [&](int64_t i, int64_t at) {
      made[static_cast<size_t>(i)] = t.type == data_bfloat16
                                         ? widen(static_cast<uint16_t *>(pointer(t))[at])
                                         : static_cast<float *>(pointer(t))[at];
    });
    return made;
  }

  void write(const Tensor &t, std::vector<float> value) {
    if (!t.is_virtual) {
      each(t, [&](int64_t i, int64_t at) {
        const float one = value[static_cast<size_t>(i)];
        if (t.type == data_bfloat16) {
          static_cast<uint16_t *>(pointer(t))[at] = narrow(one);
        } else {
          static_cast<float *>(pointer(t))[at] = one;
        }
      });
    }
    values_[t.id] = std::move(value);
  }

 private:
  void *pointer(const Tensor &t) const { return pointers_.at(t.id); }

  template <class Body>
  static void each(const Tensor &t, const Body &body) {
    int64_t i = 0;
    for (int64_t n = 0; n < t.n; n++) {
      for (int64_t c = 0; c < t.c; c++) {
        for (int64_t h = 0; h < t.h; h++) {
          for (int64_t w = 0; w < t.w; w++) body(i++, t.offset(n, c, h, w));
        }
      }
    }
  }

  std::map<int64_t, void *> pointers_;
  std::map<int64_t, std::vector<float>> values_;
};

struct Convolution {
  int64_t stride[2], before[2], after[2], dilation[2];
};

Convolution convolution_of(const Object &o) {
  Convolution made{};
  for (size_t i = 0; i < 2; i++) {
    made.stride[i] = o.value<int64_t>(convolution_strides, i);
    made.before[i] = o.value<int64_t>(convolution_pre_paddings, i);
    made.after[i] = o.value<int64_t>(convolution_post_paddings, i);
    made.dilation[i] = o.value<int64_t>(convolution_dilations, i);
  }
  return made;
}

// Calls body(x index, w index, y index) for every product that a convolution sums. It has as many
// groups as the channels say.
template <class Body>
void each_product(const Convolution &conv, const Tensor &x, const Tensor &w, const Tensor &y,
                  const Body &body) {
  for (int64_t n = 0; n < y.n; n++) {
    for (int64_t k = 0; k < y.c; k++) {
      const int64_t first = k / (y.c / (x.c / w.c)) * w.c;
      for (int64_t c = 0; c < w.c; c++) {
        for (int64_t r = 0; r < w.h; r++) {
          for (int64_t s = 0; s < w.w; s++) {
            const int64_t weight = ((k * w.c + c) * w.h + r) * w.w + s;
            for (int64_t p = 0; p < y.h; p++) {
              const int64_t h = p * conv.stride[0] - conv.before[0] + r * conv.dilation[0];
              if (h < 0 || h >= x.h) continue;
              const int64_t row = ((n * x.c + first + c) * x.h + h) * x.w;
              for (int64_t q = 0; q < y.w; q++) {
                const int64_t v = q * conv.stride[1] - conv.before[1] + s * conv.dilation[1];
                if (v < 0 || v >= x.w) continue;
                body(static_cast<size_t>(row + v), static_cast<size_t>(weight),
                     static_cast<size_t>(((n * y.c + k) * y.h + p) * y.w + q));
              }
            }
          }
        }
      }
    }
  }
}

void run_operation(const Object &o, Values &values) {
  switch (o.type) {
    case convolution_forward_descriptor: {
      const Tensor x = tensor_of(o.reference(forward_x)), w = tensor_of(o.reference(forward_w)),
                   y = tensor_of(o.reference(forward_y));
      const auto &xs = values.read(x), &ws = values.read(w);
      std::vector<float> sum(static_cast<size_t>(y.count()), 0.0f);
      each_product(convolution_of(o.reference(forward_convolution)), x, w, y,
                   [&](size_t i, size_t j, size_t k) { sum[k] += xs[i] * ws[j]; });
      values.write(y, std::move(sum));
      return;
    }
    case convolution_backward_data_descriptor: {
      const Tensor x = tensor_of(o.reference(backward_data_dx)),
                   w = tensor_of(o.reference(backward_data_w)),
                   y = tensor_of(o.reference(backward_data_dy));
      const auto &ys = values.read(y), &ws = values.read(w);
      std::vector<float> sum(static_cast<size_t>(x.count()), 0.0f);
      each_product(convolution_of(o.reference(backward_data_convolution)), x, w, y,
                   [&](size_t i, size_t j, size_t k) { sum[i] += ys[k] * ws[j]; });
      values.write(x, std::move(sum));
      return;
    }
    case convolution_backward_filter_descriptor: {
      const Tensor x = tensor_of(o.reference(backward_filter_x)),
                   w = tensor_of(o.reference(backward_filter_dw)),
                   y = tensor_of(o.reference(backward_filter_dy));
      const auto &xs = values.read(x), &ys = values.read(y);
      std::vector<float> sum(static_cast<size_t>(w.count()), 0.0f);
      each_product(convolution_of(o.reference(backward_filter_convolution)), x, w, y,
                   [&](size_t i, size_t j, size_t k) { sum[j] += xs[i] * ys[k]; });
      values.write(w, std::move(sum));
      return;
    }
    default:
      break;
  }
  const Object &pointwise = o.reference(operation_pointwise);
  const auto slope = static_cast<float>(pointwise.value<double>(pointwise_relu_lower_clip_slope));
  const auto upper = pointwise.has(pointwise_relu_upper_clip)
                         ? static_cast<float>(pointwise.value<double>(pointwise_relu_upper_clip))
                         : std::numeric_limits<float>::infinity();
  const auto beta = static_cast<float>(pointwise.value<double>(pointwise_swish_beta));
  const bool keeps_nan =
      pointwise.has(pointwise_nan_propagation) &&
      pointwise.value<NanPropagation>(pointwise_nan_propagation) == propagate_nan;
  const Tensor x = tensor_of(o.reference(operation_pointwise_x));
  const auto &xs = values.read(x);
  std::vector<float> made(xs.size());
  switch (pointwise.value<PointwiseMode>(pointwise_mode)) {
    case pointwise_add: {
      const Tensor b = tensor_of(o.reference(operation_pointwise_b));
      const auto &bs = values.read(b);
      const bool whole = b.count() == x.count();
      for (size_t i = 0; i < made.size(); i++) {
        const size_t channel = i / static_cast<size_t>(x.h * x.w) % static_cast<size_t>(x.c);
        made[i] = xs[i] + bs[whole ? i : channel];
      }
      break;
    }
    case pointwise_relu_forward:
      for (size_t i = 0; i < made.size(); i++) {
        // As cuDNN may, unless it was told not to.
        const bool lost = xs[i] != xs[i] && !keeps_nan;
        made[i] = lost ? 0.0f : gapcam::leaky_relu(xs[i], slope);
        if (made[i] > upper) made[i] = upper;
      }
      break;
    case pointwise_swish_forward:
      for (size_t i = 0; i < made.size(); i++) made[i] = xs[i] / (1.0f + std::exp(-beta * xs[i]));
      break;
    case pointwise_gelu_forward:
      for (size_t i = 0; i < made.size(); i++) {
        made[i] = 0.5f * xs[i] * (1.0f + std::erf(xs[i] / std::sqrt(2.0f)));
      }
      break;
    case pointwise_relu_backward: {
      const auto &ds = values.read(tensor_of(o.reference(operation_pointwise_dy)));
      for (size_t i = 0; i < made.size(); i++) {
        made[i] = gapcam::leaky_relu_gradient(xs[i], ds[i], slope);
      }
      values.write(tensor_of(o.reference(operation_pointwise_dx)), std::move(made));
      return;
    }
  }
  values.write(tensor_of(o.reference(operation_pointwise_y)), std::move(made));
}

bool is_output(AttributeName name) {
  return name == forward_y || name == backward_data_dx || name == backward_filter_dw ||
         name == operation_pointwise_y || name == operation_pointwise_dx;
}

// Whether a graph would write where it reads: blocks of threads that are not done yet would read
// what others made.
bool overlaps(const Object &graph, const std::map<int64_t, void *> &pointers) {
  struct Range {
    const char *begin, *end;
  };
  std::vector<Range> read, written;
  for (const Shared &operation : graph.attributes.at(graph_operations).references) {
    for (const auto &[name, attribute] : operation->attributes) {
      for (const Shared &one : attribute.references) {
        if (one->type != tensor_descriptor) continue;
        const Tensor t = tensor_of(*one);
        if (t.is_virtual) continue;
        const auto *begin = static_cast<const char *>(pointers.at(t.id));
        const char *end = begin + t.count() * (t.type == data_bfloat16 ? 2 : 4);
        (is_output(name) ? written : read).push_back({begin, end});
      }
    }
  }
  for (const Range &to : written) {
    for (const Range &from : read) {
      if (to.begin < from.end && from.begin < to.end) return true;
    }
  }
  return false;
}

// ---- What finalising checks -------------------------------------------------------------------

bool fills(const Tensor &t) { return t.c % (t.type == data_bfloat16 ? 8 : 4) == 0; }

Status check_convolution(const Tensor &x, const Tensor &w, const Tensor &y, const Object &conv) {
  const Convolution c = convolution_of(conv);
  const auto size = [&](int64_t in, int64_t kernel, int i) {
    const int64_t reach = (kernel - 1) * c.dilation[i] + 1;
    return (in + c.before[i] + c.after[i] - reach) / c.stride[i] + 1;
  };
  if (x.c != w.c && x.c % w.c == 0 && w.n % (x.c / w.c) != 0) {
    return refuse(bad_param, "the groups do not divide the filters");
  }
  if (!fills(x) || !fills(y) || (x.c == w.c && !fills(w))) {
    return refuse(not_supported, "channels must fill 16 bytes");
  }
  if (x.n != y.n || x.c % w.c != 0 || w.n != y.c || y.h != size(x.h, w.h, 0) ||
      y.w != size(x.w, w.w, 1)) {
    return refuse(bad_param, "the tensors are no valid convolution");
  }
  return 0;
}

// Configurations of plans by their text. The text is only good in the process that wrote it.
std::vector<Shared> &texts() {
  static auto *all = new std::vector<Shared>;
  return *all;
}

// Names the process, so that another refuses the text instead of taking a plan of its own for it.
const std::string &text_start() {
  static const auto *start = new std::string("cudasim plan " + std::to_string(getpid()) + " ");
  return *start;
}

Status restore(Object &plan) {
  const std::string text = plan.attributes.at(plan_json).bytes;
  const size_t length = text_start().size();
  const auto number = static_cast<size_t>(std::atoll(text.c_str() + std::min(length, text.size())));
  if (!plan.has(plan_handle) || text.compare(0, length, text_start()) != 0 ||
      number >= texts().size()) {
    return refuse(bad_param, "this is no plan's text");
  }
  plan.attributes[plan_configuration] = {type_descriptor, 1, "", {texts()[number]}};
  return 0;
}

Status complete_plan(const Object &plan, Status status) {
  if (status != 0) return status;
  const Object &engine = plan.reference(plan_configuration).reference(configuration_engine);
  if (engine.value<int64_t>(engine_global_index) == compiling_engine) cudasim_compiled(1);
  return 0;
}

Status check(Object &o) {
  const auto need = [&](std::initializer_list<AttributeName> names) -> Status {
    for (const AttributeName name : names) {
      if (!o.has(name)) return refuse(bad_param, "attribute " + std::to_string(name) + " is unset");
    }
    return 0;
  };
  switch (o.type) {
    case tensor_descriptor: {
      if (const Status status = need({tensor_unique_id, tensor_data_type, tensor_byte_alignment,
                                      tensor_dimensions, tensor_strides})) {
        return status;
      }
      if (tensor_of(o).stride[1] != 1) {
        return refuse(not_supported, "channels must be innermost");
      }
      return 0;
    }
    case convolution_descriptor:
      return need({convolution_compute_type, convolution_mode, convolution_dilations,
                   convolution_strides, convolution_post_paddings, convolution_pre_paddings,
                   convolution_spatial_dimensions});
    case convolution_forward_descriptor:
      if (const Status status = need({forward_x, forward_w, forward_y, forward_convolution,
                                      forward_alpha, forward_beta})) {
        return status;
      }
      return check_convolution(tensor_of(o.reference(forward_x)), tensor_of(o.reference(forward_w)),
                               tensor_of(o.reference(forward_y)), o.reference(forward_convolution));
    case convolution_backward_data_descriptor:
      if (const Status status =
              need({backward_data_dx, backward_data_w, backward_data_dy, backward_data_convolution,
                    backward_data_alpha, backward_data_beta})) {
        return status;
      }
      return check_convolution(
          tensor_of(o.reference(backward_data_dx)), tensor_of(o.reference(backward_data_w)),
          tensor_of(o.reference(backward_data_dy)), o.reference(backward_data_convolution));
    case convolution_backward_filter_descriptor:
      if (const Status status =
              need({backward_filter_x, backward_filter_dw, backward_filter_dy,
                    backward_filter_convolution, backward_filter_alpha, backward_filter_beta})) {
        return status;
      }
      return check_convolution(
          tensor_of(o.reference(backward_filter_x)), tensor_of(o.reference(backward_filter_dw)),
          tensor_of(o.reference(backward_filter_dy)), o.reference(backward_filter_convolution));
    case pointwise_descriptor:
      return need({pointwise_mode, pointwise_math_precision});
    case operation_pointwise_descriptor:
      return need({operation_pointwise, operation_pointwise_x});
    case device_properties_descriptor:
      if (const Status status = need({device_properties_json})) return status;
      if (o.attributes.at(device_properties_json).bytes.find("\"deviceVer\"") ==
          std::string::npos) {
        return refuse(bad_param, "the description has no deviceVer");
      }
      return 0;
    case operation_graph_descriptor:
      return need({graph_operations});
    // A device that is open has a handle, one that is only described has properties.
    case engine_heuristic_descriptor:
      if (const Status status = need({heuristic_operation_graph, heuristic_mode})) return status;
      return o.has(heuristic_device_properties) ||
                     o.reference(heuristic_operation_graph).has(graph_handle)
                 ? 0
                 : refuse(bad_param, "neither a handle nor device properties are set");
    case execution_plan_descriptor:
      if (o.has(plan_json)) return restore(o);
      if (!o.has(plan_handle) && !o.has(plan_device_properties)) {
        return refuse(bad_param, "neither a handle nor device properties are set");
      }
      return complete_plan(o, need({plan_configuration}));
    case variant_pack_descriptor:
      return need({variant_unique_ids, variant_data_pointers, variant_workspace});
    default:
      return 0;
  }
}

// A configuration of the engine `index` for a graph. Engine 1 compiles its kernels. Engine 7 is
// said to be nondeterministic, and must therefore never run.
Shared configuration(const Shared &graph, int64_t index) {
  auto engine = std::make_shared<Object>();
  engine->type = engine_descriptor;
  engine->finalised = true;
  engine->attributes[engine_global_index] = {
      type_int64, 1, std::string(reinterpret_cast<const char *>(&index), sizeof index), {}};
  if (index == 7) {
    const NumericalNote note = note_nondeterministic;
    engine->attributes[engine_numerical_note] = {
        type_numerical_note,
        1,
        std::string(reinterpret_cast<const char *>(&note), sizeof note),
        {}};
  }
  if (index == compiling_engine) {
    const BehaviorNote note = note_runtime_compilation;
    engine->attributes[engine_behavior_note] = {
        type_behavior_note, 1, std::string(reinterpret_cast<const char *>(&note), sizeof note), {}};
  }
  auto made = std::make_shared<Object>();
  made->type = engine_configuration_descriptor;
  made->finalised = true;
  made->attributes[configuration_engine] = {type_descriptor, 1, "", {engine}};
  made->attributes[heuristic_operation_graph] = {type_descriptor, 1, "", {graph}};
  return made;
}

// Input channels of the convolution that a graph begins with.
int64_t input_channels(const Object &graph) {
  const Object &convolution = graph.reference(graph_operations);
  for (const AttributeName name : {forward_w, backward_data_w, backward_filter_dw}) {
    if (convolution.has(name)) return tensor_of(convolution.reference(name)).c;
  }
  return 0;
}

std::vector<Shared> proposals(const Object &heuristic) {
  const Shared graph = heuristic.attributes.at(heuristic_operation_graph).references.at(0);
  const bool fused = graph->attributes.at(graph_operations).count > 1;
  if (fused && cudasim::setting("CUDASIM_REFUSE_FUSED", 0)) return {};
  if (input_channels(*graph) == cudasim::setting("CUDASIM_REFUSE_CHANNELS", -1)) return {};
  if (heuristic.value<HeuristicMode>(heuristic_mode) == heuristic_fallback) {
    return {configuration(graph, 0)};
  }
  return {configuration(graph, 7), configuration(graph, 1), configuration(graph, 2)};
}

}  // namespace

size_t cudnnGetVersion() { return static_cast<size_t>(cudasim::setting("CUDASIM_CUDNN", 92400)); }

size_t cudnnGetCudartVersion() {
  return static_cast<size_t>(cudasim::setting("CUDASIM_CUDNN_CUDA", 13000));
}

const char *cudnnGetErrorString(Status status) {
  return status == 0               ? "CUDNN_STATUS_SUCCESS"
         : status == not_supported ? "CUDNN_STATUS_NOT_SUPPORTED"
         : status >= 5000          ? "CUDNN_STATUS_EXECUTION_FAILED"
                                   : "CUDNN_STATUS_BAD_PARAM";
}

void cudnnGetLastErrorString(char *text, size_t capacity) {
  std::snprintf(text, capacity, "%s", last_error.c_str());
}

Status cudnnCreate(Handle *handle) {
  if (cudasim_ready() != 0) return refuse(not_initialized, "no context is current");
  *handle = new HandleObject;
  return 0;
}

Status cudnnDestroy(Handle handle) {
  delete handle;
  return 0;
}

Status cudnnSetStream(Handle handle, Stream stream) {
  handle->stream = stream;
  return 0;
}

Status cudnnBackendCreateDescriptor(DescriptorType type, Descriptor *descriptor) {
  auto *holder = new Holder{std::make_shared<Object>()};
  holder->object->type = type;
  *descriptor = holder;
  return 0;
}

Status cudnnBackendDestroyDescriptor(Descriptor descriptor) {
  const std::unique_ptr<Holder> holder(static_cast<Holder *>(descriptor));
  holder->object->destroyed = true;
  return 0;
}

Status cudnnBackendFinalize(Descriptor descriptor) {
  Object &o = object(descriptor);
  if (o.finalised) return refuse(bad_param, "the descriptor is complete already");
  if (const Status status = check(o)) return status;
  o.finalised = true;
  return 0;
}

Status cudnnBackendSetAttribute(Descriptor descriptor, AttributeName name, AttributeType type,
                                int64_t count, const void *elements) {
  Object &o = object(descriptor);
  if (o.finalised) return refuse(bad_param, "the descriptor is complete");
  if (!elements || count < 0) return refuse(bad_param, "no elements");
  Object::Attribute made{type, count, "", {}};
  made.bytes.assign(static_cast<const char *>(elements),
                    static_cast<size_t>(count) * element_bytes(type));
  if (type == type_descriptor) {
    for (int64_t i = 0; i < count; i++) {
      const Shared &one =
          static_cast<Holder *>(static_cast<const Descriptor *>(elements)[i])->object;
      if (!one->finalised) return refuse(not_finalized, "a descriptor is not complete");
      made.references.push_back(one);
    }
  }
  o.attributes[name] = std::move(made);
  return 0;
}

Status cudnnBackendGetAttribute(Descriptor descriptor, AttributeName name, AttributeType type,
                                int64_t capacity, int64_t *count, void *elements) {
  Object &o = object(descriptor);
  if (o.type != engine_descriptor && !o.finalised) {
    return refuse(not_finalized, "the descriptor is not complete");
  }
  if (type == type_descriptor) {
    const std::vector<Shared> found =
        o.type == engine_heuristic_descriptor ? proposals(o) : o.attributes.at(name).references;
    *count = static_cast<int64_t>(found.size());
    for (int64_t i = 0; i < *count && i < capacity; i++) {
      static_cast<Holder *>(static_cast<Descriptor *>(elements)[i])->object =
          found[static_cast<size_t>(i)];
    }
    return 0;
  }
  if (name == plan_json) {
    texts().push_back(o.attributes.at(plan_configuration).references.at(0));
    const std::string text = text_start() + std::to_string(texts().size() - 1);
    *count = static_cast<int64_t>(text.size() + 1);
    if (elements && capacity >= *count) std::memcpy(elements, text.c_str(), text.size() + 1);
    return 0;
  }
  if (name == plan_workspace_size) {
    std::memcpy(elements, &workspace_bytes, sizeof workspace_bytes);
    *count = 1;
    return 0;
  }
  const auto found = o.attributes.find(name);
  *count = found == o.attributes.end() ? 0 : found->second.count;
  if (*count > 0) {
    std::memcpy(elements, found->second.bytes.data(),
                static_cast<size_t>(*count < capacity ? *count : capacity) * element_bytes(type));
  }
  return 0;
}

Status cudnnBackendExecute(Handle handle, Descriptor plan, Descriptor variant) {
  const Object &p = object(plan), &v = object(variant);
  if (!p.finalised || !v.finalised) return refuse(not_finalized, "a descriptor is not complete");
  const Object &chosen = p.reference(plan_configuration);
  const Shared graph = chosen.attributes.at(heuristic_operation_graph).references.at(0);
  if (!p.has(plan_json) && (chosen.destroyed || graph->destroyed)) {
    return refuse(bad_param, "what the plan was made of is gone");
  }
  if (cudasim::setting("CUDASIM_REFUSE_CAPTURE", 0) && cudasim_captures(handle->stream)) {
    return refuse(execution_failed, "the engine cannot be captured");
  }
  std::map<int64_t, void *> pointers;
  for (int64_t i = 0; i < v.attributes.at(variant_unique_ids).count; i++) {
    const auto at = static_cast<size_t>(i);
    void *pointer = v.value<void *>(variant_data_pointers, at);
    if (!pointer || reinterpret_cast<uintptr_t>(pointer) % 16 != 0) {
      return refuse(bad_param, "a pointer is null or not aligned");
    }
    pointers[v.value<int64_t>(variant_unique_ids, at)] = pointer;
  }
  for (const Shared &operation : graph->attributes.at(graph_operations).references) {
    for (const auto &[name, attribute] : operation->attributes) {
      for (const Shared &one : attribute.references) {
        if (one->type != tensor_descriptor) continue;
        const Tensor t = tensor_of(*one);
        if (t.is_virtual) continue;
        if (!pointers.count(t.id)) return refuse(bad_param, "a tensor has no pointer");
        if (!cudasim_holds(pointers[t.id],
                           static_cast<size_t>(t.count()) * (t.type == data_bfloat16 ? 2 : 4))) {
          return refuse(bad_param, "a tensor is larger than its memory");
        }
      }
    }
  }
  if (overlaps(*graph, pointers)) return refuse(bad_param, "an output overlaps an input");
  void *workspace = v.value<void *>(variant_workspace);
  if (!workspace || !cudasim_holds(workspace, workspace_bytes)) {
    return refuse(bad_param, "there is no workspace");
  }
  const auto work = [graph, pointers, workspace] {
    std::memset(workspace, 0xff, workspace_bytes);
    Values values(pointers);
    for (const Shared &operation : graph->attributes.at(graph_operations).references) {
      run_operation(*operation, values);
    }
  };
  return cudasim::enqueue(handle->stream, work) == 0
             ? 0
             : refuse(execution_failed, "the stream takes no work");
}

}  // namespace gapcam::cuda::cudnn
