// From a graph to steps: layouts, buffers and the forward pass.
#include <cmath>
#include <cstring>

#include "elementwise.h"
#include "executable.h"
#include "resize_coefficients.h"

namespace gapcam::cpu {

namespace {

size_t at(ValueId value) { return static_cast<size_t>(value); }

// Convolutions of so few channels read a plain map: oneDNN has kernels for first layers.
constexpr int64_t few_channels = 4;

Layout preferred_layout() {
  Layout layout;
  layout.block = std::strcmp(instruction_set(), "avx512") == 0 ? 16 : 8;
  return layout;
}

}  // namespace

// ---- Steps and buffers ------------------------------------------------------------------------

Step &CpuExecutable::begin_step(uint32_t phase, const Node *node, const char *operation) {
  std::string name = operation;
  if (node) {
    const Operation &o = node->operation;
    name = format("%s %d %s -> %s", to_string(o.kind), node->index,
                  to_string(shape(o.inputs[0])).c_str(), to_string(shape(o.output)).c_str());
  }
  Step &step = schedule_.begin(phase, operation, name);
  step.algorithm = kernels().name;
  return step;
}

View CpuExecutable::new_map(ValueId value) {
  const int64_t elements = map_elements(shape(value), layout(value));
  return schedule_.make(static_cast<size_t>(elements) * sizeof(float));
}

View CpuExecutable::input(ValueId value) {
  if (value == no_value) return {};
  const View reference = values_[at(value)];
  if (!reference) throw Error(GAPCAM_INTERNAL, "A value is read before it is made");
  schedule_.use(reference);
  return reference;
}

View CpuExecutable::output(ValueId value) {
  if (!values_[at(value)]) {
    values_[at(value)] = new_map(value);
    if (fused_.kept[at(value)]) schedule_.keep(values_[at(value)]);
  }
  schedule_.use(values_[at(value)]);
  return values_[at(value)];
}

CpuStorage &CpuExecutable::external(ValueId value, const char *role) const {
  auto *storage = static_cast<CpuStorage *>(graph_->value(value).storage.get());
  if (!storage) {
    throw Error(GAPCAM_INVALID_ARGUMENT,
                format("Cannot compile a program whose %s is made by the program: it must be a "
                       "tensor of the device",
                       role));
  }
  return *storage;
}

MapShape CpuExecutable::map_shape(ValueId value) const {
  const Shape &s = shape(value);
  if (s.size() == 4) return {s[0], s[1], s[2], s[3], layout(value).block};
  return {1, 1, 1, element_count(s), 1};
}

PoolShape CpuExecutable::pool_shape(const Operation &o) const {
  PoolShape pool;
  pool.input = map_shape(o.inputs[0]);
  pool.output_height = shape(o.output)[2];
  pool.output_width = shape(o.output)[3];
  pool.kernel_height = o.kernel_height;
  pool.kernel_width = o.kernel_width;
  pool.stride_height = o.stride_height;
  pool.stride_width = o.stride_width;
  pool.padding_height = o.padding_height;
  pool.padding_width = o.padding_width;
  return pool;
}

// Whether the only reader of a map is a max pool, so that what its backward needs of the sign of
// the map is in the pooled map.
bool CpuExecutable::fused_into_pool(ValueId value) const {
  if (fused_.consumers[at(value)] != 1 || fused_.kept[at(value)]) return false;
  const Node &reader = fused_.nodes[static_cast<size_t>(fused_.consumer[at(value)])];
  return reader.operation.kind == OperationKind::max_pool2d;
}

// ---- Layouts ----------------------------------------------------------------------------------

void CpuExecutable::assign_layouts() {
  layouts_.assign(graph_->values.size(), Layout{});
  // What is read as anything but a map stays plain, and so does what leads there.
  std::vector<bool> plain(graph_->values.size(), false);
  for (size_t n = fused_.nodes.size(); n-- > 0;) {
    const Operation &o = fused_.nodes[n].operation;
    for (size_t i = 1; i < o.inputs.size(); i++) {
      if (o.inputs[i] != no_value) plain[at(o.inputs[i])] = true;
    }
    const bool keeps_layout = o.kind != OperationKind::conv2d;
    if (plain[at(o.output)] && keeps_layout) plain[at(o.inputs[0])] = true;
  }
  const Layout preferred = preferred_layout();
  for (const Node &node : fused_.nodes) {
    const Operation &o = node.operation;
    if (shape(o.output).size() != 4 || plain[at(o.output)]) continue;
    Layout chosen = layout(o.inputs[0]);
    if (o.kind == OperationKind::conv2d) chosen = preferred;
    if (o.kind == OperationKind::prepare_images && shape(o.output)[1] > few_channels) {
      chosen = preferred;
    }
    layouts_[at(o.output)] = chosen;
  }
}

// ---- The program ------------------------------------------------------------------------------

void CpuExecutable::build() {
  assign_layouts();
  for (size_t i = 0; i < graph_->values.size(); i++) {
    if (const auto &storage = graph_->values[i].storage) {
      auto cpu = std::static_pointer_cast<CpuStorage>(storage);
      values_[i].storage = cpu.get();
      staged_.push_back(std::move(cpu));
    }
  }
  for (const Node &node : fused_.nodes) {
    switch (node.operation.kind) {
      case OperationKind::prepare_images:
        build_prepare_images(node);
        break;
      case OperationKind::conv2d:
        build_conv2d(node);
        break;
      case OperationKind::leaky_relu:
        build_leaky_relu(node);
        break;
      case OperationKind::batch_norm2d:
        build_batch_norm(node);
        break;
      case OperationKind::max_pool2d:
        build_max_pool(node);
        break;
      case OperationKind::global_average_pool:
        build_average_pool(node);
        break;
      case OperationKind::spatial_sum:
        build_spatial_sum(node);
        break;
      case OperationKind::linear:
        build_linear(node);
        break;
      case OperationKind::cross_entropy:
        build_cross_entropy(node);
        break;
    }
  }
  if (graph_->backward.recorded) build_backward();
  for (const Update &update : graph_->updates) build_update(update);
}

namespace {

ResizeTable table_of(const ResizeCoefficients &c) {
  return {c.first.data(), c.count.data(), c.weights.data(), c.taps, c.input, c.output};
}

}  // namespace

void CpuExecutable::build_prepare_images(const Node &node) {
  const Operation &o = node.operation;
  const Shape &from = shape(o.inputs[0]);
  const Shape &to = shape(o.output);
  const auto rows = std::make_shared<ResizeCoefficients>(from[1], to[2]);
  const auto columns = std::make_shared<ResizeCoefficients>(from[2], to[3]);
  const auto table = std::make_shared<std::vector<float>>(normalised_levels(o.mean, o.deviation));
  PrepareShape prepare{
      from[0], from[3], table_of(*rows), table_of(*columns), layout(o.output).block, table->data()};
  begin_step(GAPCAM_FORWARD, &node, "prepare_images");
  const View images = input(o.inputs[0]), made = output(o.output);
  schedule_.reserve_scratch(prepare_scratch(prepare));
  schedule_.current().body = [=] {
    (void)rows, (void)columns, (void)table;  // kept alive
    kernels().prepare_images(prepare, static_cast<const uint8_t *>(data(images)), f32(made),
                             static_cast<uint8_t *>(scratch()));
  };
}

ConvolutionRequest CpuExecutable::convolution_request(const Node &node) const {
  const Operation &o = node.operation;
  const Shape &in = shape(o.inputs[0]);
  const Shape &out = shape(o.output);
  ConvolutionRequest request;
  request.shape.batch = in[0];
  request.shape.inputs = in[1];
  request.shape.height = in[2];
  request.shape.width = in[3];
  request.shape.outputs = out[1];
  request.shape.output_height = out[2];
  request.shape.output_width = out[3];
  request.shape.kernel_height = o.kernel_height;
  request.shape.kernel_width = o.kernel_width;
  request.shape.stride_height = o.stride_height;
  request.shape.stride_width = o.stride_width;
  request.shape.padding_height = o.padding_height;
  request.shape.padding_width = o.padding_width;
  request.input = layout(o.inputs[0]);
  request.output = layout(o.output);
  request.negative_slope = o.negative_slope;
  request.bias = o.inputs[2] != no_value || node.has_norm;
  request.bf16 = bf16_;
  request.threads = threads_;
  request.keep_argmax = graph_->backward.recorded;
  if (fused_into_pool(o.output)) {
    const Operation &pool =
        fused_.nodes[static_cast<size_t>(fused_.consumer[at(o.output)])].operation;
    request.keep_output = false;
    request.pool = pool.kernel_height == 2 && pool.kernel_width == 2 && pool.stride_height == 2 &&
                   pool.stride_width == 2 && pool.padding_height == 0 && pool.padding_width == 0;
  }
  return request;
}

void CpuExecutable::transform(Weight &weight, Convolution &convolution) {
  const auto *storage = static_cast<CpuStorage *>(weight.plain.storage);
  if (storage && weight.version == storage->version()) return;
  convolution.transform_weight(f32(weight.plain), data(weight.transformed), scratch());
  if (storage) weight.version = storage->version();
}

void CpuExecutable::build_conv2d(const Node &node) {
  const Operation &o = node.operation;
  const ConvolutionRequest request = convolution_request(node);
  const std::shared_ptr<Convolution> convolution = choose_convolution(request);
  const bool pools = request.pool && convolution->fuses_pool();

  Step &step = begin_step(GAPCAM_FORWARD, &node, "conv2d");
  step.algorithm = convolution->algorithm();
  step.flops = request.shape.flops();
  const auto weight = std::make_shared<Weight>();
  weight->plain = input(o.inputs[1]);
  weight->transformed = schedule_.make_forever(convolution->weight_bytes());
  schedule_.use(weight->transformed);
  View bias = input(o.inputs[2]);
  schedule_.reserve_scratch(convolution->scratch_bytes());
  const View source = input(o.inputs[0]);

  std::function<void()> fold = [] {};
  if (node.has_norm) {
    // weight * gamma / deviation and (bias - mean) * gamma / deviation + beta, made anew when one
    // of them has changed.
    const auto folded = std::make_shared<Folded>();
    const View plain = weight->plain, plain_bias = bias;
    folded->weight =
        schedule_.make_forever(static_cast<size_t>(element_count(shape(o.inputs[1]))) * 4);
    folded->bias = schedule_.make_forever(static_cast<size_t>(shape(o.output)[1]) * 4);
    std::vector<View> norm;
    for (size_t i = 1; i < 5; i++) norm.push_back(input(node.norm.inputs[i]));
    bool known = true;  // whether every source tells its version
    for (const View &one : {plain, norm[0], norm[1], norm[2], norm[3]}) {
      known = known && one.storage;
      folded->sources.push_back(static_cast<CpuStorage *>(one.storage));
    }
    if (plain_bias) {
      known = known && plain_bias.storage;
      folded->sources.push_back(static_cast<CpuStorage *>(plain_bias.storage));
    }
    const int64_t outputs = shape(o.output)[1];
    const int64_t each = element_count(shape(o.inputs[1])) / outputs;
    const float epsilon = node.norm.epsilon;
    weight->plain = folded->weight;
    bias = folded->bias;
    step.algorithm += ", batch norm folded";
    fold = [=] {
      uint64_t version = 0;
      if (known) {
        for (const CpuStorage *source : folded->sources) version += source->version();
        if (version == folded->version) return;
      }
      const float *gamma = f32(norm[0]), *beta = f32(norm[1]), *mean = f32(norm[2]),
                  *variance = f32(norm[3]);
      for (int64_t c = 0; c < outputs; c++) {
        const double factor = fold_factor(gamma[c], variance[c], epsilon);
        f32(folded->bias)[c] =
            fold_bias(factor, plain_bias ? f32(plain_bias)[c] : 0.0f, mean[c], beta[c]);
        for (int64_t i = c * each; i < (c + 1) * each; i++) {
          f32(folded->weight)[i] = static_cast<float>(f32(plain)[i] * factor);
        }
      }
      convolution->transform_weight(f32(folded->weight), data(weight->transformed), scratch());
      folded->version = version;
    };
  }

  View made, pooled, argmax;
  if (pools) {
    const Operation &pool =
        fused_.nodes[static_cast<size_t>(fused_.consumer[at(o.output)])].operation;
    pooled = output(pool.output);
    if (request.keep_argmax) {
      argmax = schedule_.make(static_cast<size_t>(map_shape(pool.output).elements()));
      schedule_.use(argmax);
    }
    pooled_[pool.output] = {pool_shape(pool), argmax, 1};
  } else {
    made = output(o.output);
  }
  const bool folds = node.has_norm;
  schedule_.current().body = [=] {
    if (folds) {
      fold();
    } else {
      transform(*weight, *convolution);
    }
    ConvolutionArguments a;
    a.input = f32(source);
    a.weight = data(weight->transformed);
    a.bias = f32(bias);
    a.output = f32(made);
    a.pooled = f32(pooled);
    a.argmax = static_cast<uint8_t *>(data(argmax));
    a.scratch = scratch();
    convolution->run(a);
  };
}

void CpuExecutable::build_leaky_relu(const Node &node) {
  const Operation &o = node.operation;
  begin_step(GAPCAM_FORWARD, &node, "leaky_relu");
  const View source = input(o.inputs[0]), made = output(o.output);
  const int64_t count = map_elements(shape(o.output), layout(o.output));
  const float slope = o.negative_slope;
  schedule_.current().body = [=] { kernels().leaky_relu(f32(source), f32(made), count, slope); };
}

void CpuExecutable::build_batch_norm(const Node &node) {
  const Operation &o = node.operation;
  NormShape norm{map_shape(o.inputs[0]), o.epsilon, o.momentum, o.negative_slope, graph_->training};
  CpuStorage &mean = external(o.inputs[3], "running mean");
  CpuStorage &variance = external(o.inputs[4], "running variance");
  begin_step(GAPCAM_FORWARD, &node, "batch_norm2d");
  const View source = input(o.inputs[0]), weight = input(o.inputs[1]), bias = input(o.inputs[2]),
             made = output(o.output);
  const View saved = schedule_.make(norm_saved(norm.map) * sizeof(float));
  schedule_.use(saved);
  norms_[o.output] = saved;
  schedule_.reserve_scratch(norm_scratch(norm.map) * sizeof(double));
  schedule_.current().body = [=, &mean, &variance] {
    kernels().batch_norm(norm, f32(source), f32(weight), f32(bias), mean.f32(), variance.f32(),
                         f32(made), f32(saved), static_cast<double *>(scratch()));
    if (norm.training) {
      mean.changed();
      variance.changed();
    }
  };
}

void CpuExecutable::build_max_pool(const Node &node) {
  const Operation &o = node.operation;
  if (pooled_.count(o.output)) return;  // the convolution before does it
  const PoolShape pool = pool_shape(o);
  begin_step(GAPCAM_FORWARD, &node, "max_pool2d");
  const View source = input(o.inputs[0]), made = output(o.output);
  View argmax;
  const size_t index_bytes = pool.narrow() ? 1 : 4;
  if (o.differentiated) {
    argmax = schedule_.make(static_cast<size_t>(pool.output().elements()) * index_bytes);
    schedule_.use(argmax);
  }
  pooled_[o.output] = {pool, argmax, index_bytes};
  schedule_.current().body = [=] {
    kernels().max_pool(pool, f32(source), f32(made), data(argmax));
  };
}

void CpuExecutable::build_average_pool(const Node &node) {
  const Operation &o = node.operation;
  const MapShape map = map_shape(o.inputs[0]);
  begin_step(GAPCAM_FORWARD, &node, "global_average_pool");
  const View source = input(o.inputs[0]), made = output(o.output);
  schedule_.current().body = [=] { kernels().average_pool(map, f32(source), f32(made)); };
}

void CpuExecutable::build_spatial_sum(const Node &node) {
  const Operation &o = node.operation;
  const MapShape map = map_shape(o.inputs[0]);
  begin_step(GAPCAM_FORWARD, &node, "spatial_sum");
  const View source = input(o.inputs[0]), weights = input(o.inputs[1]), made = output(o.output);
  schedule_.current().body = [=] {
    kernels().spatial_sum(map, f32(source), f32(weights), f32(made));
  };
}

void CpuExecutable::build_linear(const Node &node) {
  const Operation &o = node.operation;
  const int64_t batch = shape(o.inputs[0])[0], inputs = shape(o.inputs[0])[1],
                outputs = shape(o.output)[1];
  Step &step = begin_step(GAPCAM_FORWARD, &node, "linear");
  step.flops = 2.0 * static_cast<double>(batch * inputs * outputs);
  const View source = input(o.inputs[0]), weight = input(o.inputs[1]), bias = input(o.inputs[2]),
             made = output(o.output);
  schedule_.current().body = [=] {
    kernels().linear(batch, inputs, outputs, f32(source), f32(weight), f32(bias), f32(made));
  };
}

void CpuExecutable::build_cross_entropy(const Node &node) {
  const Operation &o = node.operation;
  const int64_t batch = shape(o.inputs[0])[0];
  const int classes = static_cast<int>(shape(o.inputs[0])[1]);
  const float smoothing = o.label_smoothing;
  begin_step(GAPCAM_FORWARD, &node, "cross_entropy");
  const View logits = input(o.inputs[0]), labels = input(o.inputs[1]), metrics = input(o.inputs[2]),
             made = output(o.output);
  CpuStorage *counted = metrics ? &external(o.inputs[2], "metrics") : nullptr;
  schedule_.current().body = [=] {
    const auto *label = static_cast<const int32_t *>(data(labels));
    double sum = 0.0;
    int counted_labels = 0, correct = 0;
    bool valid = true;
    for (int64_t n = 0; n < batch; n++) {
      if (label[n] == -1) continue;
      if (!label_counts(label[n], classes)) {
        valid = false;
        continue;
      }
      int best = 0;
      sum += cross_entropy_row(f32(logits) + n * classes, classes, label[n], smoothing, &best);
      counted_labels++;
      correct += best == label[n];
    }
    float loss = counted_labels > 0 ? static_cast<float>(sum / counted_labels) : 0.0f;
    if (!valid) loss = NAN;
    f32(made)[0] = loss;
    if (!counted) return;
    count_loss(f32(metrics), loss, correct, counted_labels);
    counted->changed();
  };
}

}  // namespace gapcam::cpu
