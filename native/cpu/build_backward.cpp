// The backward pass and the optimiser's steps.
#include <algorithm>

#include "elementwise.h"
#include "executable.h"

namespace gapcam::cpu {

namespace {

size_t at(ValueId value) { return static_cast<size_t>(value); }

}  // namespace

View CpuExecutable::gradient_output(ValueId value) {
  if (!gradients_[at(value)]) gradients_[at(value)] = new_map(value);
  schedule_.use(gradients_[at(value)]);
  return gradients_[at(value)];
}

View CpuExecutable::gradient_input(ValueId value) {
  schedule_.use(gradients_[at(value)]);
  return gradients_[at(value)];
}

View CpuExecutable::gradient_in_place(ValueId value, const View &arriving) {
  if (!gradients_[at(value)]) gradients_[at(value)] = arriving;
  return gradient_output(value);
}

void CpuExecutable::build_backward() {
  const Backward &backward = graph_->backward;
  for (size_t i = 0; i < backward.targets.size(); i++) {
    const View reference = new_map(backward.gradients[i]);
    schedule_.keep(reference);
    gradients_[at(backward.targets[i])] = reference;
    values_[at(backward.gradients[i])] = reference;
  }
  seed_gradient();
  for (size_t i = fused_.nodes.size(); i-- > 0;) {
    const Node &node = fused_.nodes[i];
    if (!node.operation.differentiated) continue;
    switch (node.operation.kind) {
      case OperationKind::prepare_images:
      case OperationKind::spatial_sum:
        break;
      case OperationKind::conv2d:
        build_conv2d_backward(node);
        break;
      case OperationKind::leaky_relu:
        build_leaky_relu_backward(node);
        break;
      case OperationKind::batch_norm2d:
        build_batch_norm_backward(node);
        break;
      case OperationKind::max_pool2d:
        build_max_pool_backward(node);
        break;
      case OperationKind::global_average_pool:
        build_average_pool_backward(node);
        break;
      case OperationKind::linear:
        build_linear_backward(node);
        break;
      case OperationKind::cross_entropy:
        build_cross_entropy_backward(node);
        break;
    }
  }
}

// The gradient of the output: what the caller gives, or one.
void CpuExecutable::seed_gradient() {
  const ValueId output = graph_->backward.output;
  const ValueId given = graph_->backward.output_gradient;
  Step &step = begin_step(GAPCAM_BACKWARD, nullptr, "output_gradient");
  step.name = format("output_gradient %s", to_string(shape(output)).c_str());
  const View seed = gradient_output(output);
  const View source = given == no_value ? View{} : input(given);
  MapShape from = map_shape(output);
  const int64_t block = from.block;
  from.block = given == no_value ? 1 : map_shape(given).block;
  schedule_.current().body = [=] {
    const float one = 1.0f;
    kernels().reorder(from, block, source ? f32(source) : &one, f32(seed));
  };
}

void CpuExecutable::build_conv2d_backward(const Node &node) {
  const Operation &o = node.operation;
  ConvolutionRequest request = convolution_request(node);
  const bool filter = o.needs_gradient[1] || (o.inputs[2] != no_value && o.needs_gradient[2]);
  std::shared_ptr<Convolution> data_convolution, filter_convolution;
  if (o.needs_gradient[0]) {
    request.direction = Direction::backward_data;
    data_convolution = choose_convolution(request);
  }
  if (filter) {
    request.direction = Direction::backward_filter;
    request.bias = o.inputs[2] != no_value;
    filter_convolution = choose_convolution(request);
  }
  const bool fused = (!data_convolution || data_convolution->fuses_gradient()) &&
                     (!filter_convolution || filter_convolution->fuses_gradient());

  // What arrives: the gradient of this map, or that of the pooled one.
  const auto unpooled = unpooled_.find(o.output);
  const ValueId arriving = unpooled == unpooled_.end() ? o.output : unpooled->second;
  const float slope = o.negative_slope;
  View gradient = gradients_[at(arriving)], sign, argmax;
  if (fused && (unpooled == unpooled_.end() || request.pool)) {
    if (slope != 1.0f) sign = values_[at(arriving)];
    if (unpooled != unpooled_.end()) argmax = pooled_[arriving].argmax;
  } else {
    if (slope != 1.0f) {
      begin_step(GAPCAM_BACKWARD, &node, "leaky_relu backward");
      const View d = gradient_input(arriving), y = input(arriving);
      const int64_t count = map_elements(shape(arriving), layout(arriving));
      schedule_.current().body = [=] {
        kernels().leaky_relu_backward(f32(y), f32(d), f32(d), count, slope);
      };
    }
    if (unpooled != unpooled_.end()) {
      begin_step(GAPCAM_BACKWARD, &node, "max_pool2d backward");
      const Pooled &pooled = pooled_[arriving];
      const View d = gradient_input(arriving), indices = pooled.argmax;
      schedule_.use(indices);
      gradient = gradient_output(o.output);
      const PoolShape pool = pooled.shape;
      const View full = gradient;
      schedule_.current().body = [=] {
        kernels().max_pool_backward(pool, f32(d), data(indices), f32(full));
      };
    }
  }

  if (filter_convolution) {
    Step &step = begin_step(GAPCAM_BACKWARD, &node, "conv2d backward filter");
    step.algorithm = filter_convolution->algorithm();
    step.flops = request.shape.flops();
    schedule_.use(gradient);
    schedule_.use(sign);
    schedule_.use(argmax);
    schedule_.reserve_scratch(filter_convolution->scratch_bytes());
    const View source = input(o.inputs[0]);
    // Both are computed where one is wanted; the other goes to a buffer of its own.
    const auto wanted = [&](size_t i) {
      if (o.needs_gradient[i]) return gradient_output(o.inputs[i]);
      const View unused = new_map(o.inputs[i]);
      schedule_.use(unused);
      return unused;
    };
    const View d_weight = wanted(1);
    const View d_bias = o.inputs[2] == no_value ? View{} : wanted(2);
    schedule_.current().body = [=] {
      ConvolutionArguments a;
      a.input = f32(source);
      a.d_weight = f32(d_weight);
      a.d_bias = f32(d_bias);
      a.d_output = f32(gradient);
      a.d_output_sign = f32(sign);
      a.d_argmax = static_cast<const uint8_t *>(data(argmax));
      a.scratch = scratch();
      filter_convolution->run(a);
    };
  }
  if (data_convolution) {
    Step &step = begin_step(GAPCAM_BACKWARD, &node, "conv2d backward data");
    step.algorithm = data_convolution->algorithm();
    step.flops = request.shape.flops();
    schedule_.use(gradient);
    schedule_.use(sign);
    schedule_.use(argmax);
    schedule_.reserve_scratch(data_convolution->scratch_bytes());
    const auto weight = std::make_shared<Weight>();
    weight->plain = input(o.inputs[1]);
    weight->transformed = schedule_.make_forever(data_convolution->weight_bytes());
    const View d_input = gradient_output(o.inputs[0]);
    schedule_.current().body = [=] {
      transform(*weight, *data_convolution);
      ConvolutionArguments a;
      a.weight = data(weight->transformed);
      a.d_input = f32(d_input);
      a.d_output = f32(gradient);
      a.d_output_sign = f32(sign);
      a.d_argmax = static_cast<const uint8_t *>(data(argmax));
      a.scratch = scratch();
      data_convolution->run(a);
    };
  }
}

void CpuExecutable::build_leaky_relu_backward(const Node &node) {
  const Operation &o = node.operation;
  begin_step(GAPCAM_BACKWARD, &node, "leaky_relu backward");
  const View d_y = gradient_input(o.output), y = input(o.output);
  const int64_t count = map_elements(shape(o.output), layout(o.output));
  const float slope = o.negative_slope;
  const View d_x = gradient_in_place(o.inputs[0], d_y);
  schedule_.current().body = [=] {
    kernels().leaky_relu_backward(f32(y), f32(d_y), f32(d_x), count, slope);
  };
}

void CpuExecutable::build_batch_norm_backward(const Node &node) {
  const Operation &o = node.operation;
  const NormShape norm{map_shape(o.inputs[0]), o.epsilon, o.momentum, o.negative_slope,
                       graph_->training};
  begin_step(GAPCAM_BACKWARD, &node, "batch_norm2d backward");
  const View d_y = gradient_input(o.output), x = input(o.inputs[0]), weight = input(o.inputs[1]),
             bias = input(o.inputs[2]), saved = norms_[o.output];
  schedule_.use(saved);
  schedule_.reserve_scratch(norm_scratch(norm.map) * sizeof(double));
  View d_x, d_weight, d_bias;
  if (o.needs_gradient[0]) d_x = gradient_in_place(o.inputs[0], d_y);
  if (o.needs_gradient[1]) d_weight = gradient_output(o.inputs[1]);
  if (o.needs_gradient[2]) d_bias = gradient_output(o.inputs[2]);
  schedule_.current().body = [=] {
    kernels().batch_norm_backward(norm, f32(x), f32(weight), f32(bias), f32(saved), f32(d_y),
                                  f32(d_x), f32(d_weight), f32(d_bias),
                                  static_cast<double *>(scratch()));
  };
}

void CpuExecutable::build_max_pool_backward(const Node &node) {
  const Operation &o = node.operation;
  const int maker = fused_.producer[at(o.inputs[0])];
  if (maker >= 0 && fused_into_pool(o.inputs[0]) &&
      fused_.nodes[static_cast<size_t>(maker)].operation.kind == OperationKind::conv2d) {
    unpooled_[o.inputs[0]] = o.output;
    return;
  }
  begin_step(GAPCAM_BACKWARD, &node, "max_pool2d backward");
  const View d_y = gradient_input(o.output), argmax = pooled_[o.output].argmax;
  schedule_.use(argmax);
  const View d_x = gradient_output(o.inputs[0]);
  const PoolShape pool = pooled_[o.output].shape;
  schedule_.current().body = [=] {
    kernels().max_pool_backward(pool, f32(d_y), data(argmax), f32(d_x));
  };
}

void CpuExecutable::build_average_pool_backward(const Node &node) {
  const Operation &o = node.operation;
  begin_step(GAPCAM_BACKWARD, &node, "global_average_pool backward");
  const View d_y = gradient_input(o.output), d_x = gradient_output(o.inputs[0]);
  const MapShape map = map_shape(o.inputs[0]);
  schedule_.current().body = [=] { kernels().average_pool_backward(map, f32(d_y), f32(d_x)); };
}

void CpuExecutable::build_linear_backward(const Node &node) {
  const Operation &o = node.operation;
  const int64_t batch = shape(o.inputs[0])[0], inputs = shape(o.inputs[0])[1],
                outputs = shape(o.output)[1];
  Step &step = begin_step(GAPCAM_BACKWARD, &node, "linear backward");
  step.flops = 4.0 * static_cast<double>(batch * inputs * outputs);
  const View d_y = gradient_input(o.output), x = input(o.inputs[0]), weight = input(o.inputs[1]);
  View d_x, d_weight, d_bias;
  if (o.needs_gradient[0]) d_x = gradient_output(o.inputs[0]);
  if (o.needs_gradient[1]) d_weight = gradient_output(o.inputs[1]);
  if (o.inputs[2] != no_value && o.needs_gradient[2]) d_bias = gradient_output(o.inputs[2]);
  schedule_.current().body = [=] {
    if (d_weight || d_bias) {
      kernels().linear_backward_filter(batch, inputs, outputs, f32(x), f32(d_y), f32(d_weight),
                                       f32(d_bias));
    }
    if (d_x) {
      kernels().linear_backward_data(batch, inputs, outputs, f32(d_y), f32(weight), f32(d_x));
    }
  };
}

void CpuExecutable::build_cross_entropy_backward(const Node &node) {
  const Operation &o = node.operation;
  const int64_t batch = shape(o.inputs[0])[0];
  const int classes = static_cast<int>(shape(o.inputs[0])[1]);
  const float smoothing = o.label_smoothing;
  begin_step(GAPCAM_BACKWARD, &node, "cross_entropy backward");
  const View d_loss = gradient_input(o.output), logits = input(o.inputs[0]),
             labels = input(o.inputs[1]), d_logits = gradient_output(o.inputs[0]);
  schedule_.current().body = [=] {
    const auto *label = static_cast<const int32_t *>(data(labels));
    int64_t counted = 0;
    for (int64_t n = 0; n < batch; n++) counted += label_counts(label[n], classes);
    const double scale = counted > 0 ? static_cast<double>(*f32(d_loss)) / counted : 0.0;
    for (int64_t n = 0; n < batch; n++) {
      cross_entropy_row_gradient(f32(logits) + n * classes, classes, label[n], smoothing, scale,
                                 f32(d_logits) + n * classes);
    }
  };
}

void CpuExecutable::build_update(const Update &update) {
  const bool adam = update.kind == UpdateKind::adam;
  Step &step = begin_step(GAPCAM_UPDATE, nullptr, adam ? "adam" : "sgd");
  struct Parameter {
    CpuStorage *value, *first, *second;
    View gradient;
    int64_t count;
  };
  std::vector<Parameter> parameters;
  size_t chunk_count = 0;
  double elements = 0;
  for (size_t i = 0; i < update.parameters.size(); i++) {
    Parameter p;
    p.value = &external(update.parameters[i], "parameter");
    p.first = &external(update.first_moments[i], "moment");
    p.second = adam ? &external(update.second_moments[i], "second moment") : nullptr;
    p.gradient = values_[at(update.gradients[i])];
    schedule_.use(p.gradient);
    p.count = element_count(shape(update.parameters[i]));
    chunk_count += static_cast<size_t>((p.count + update_chunk - 1) / update_chunk);
    elements += static_cast<double>(p.count);
    parameters.push_back(p);
  }
  step.name = format("%s over %zu parameters", step.operation.c_str(), parameters.size());
  step.bytes = elements * sizeof(float) * (adam ? 7 : 5);
  CpuStorage &settings = external(update.settings, "settings");
  const auto chunks = std::make_shared<std::vector<UpdateChunk>>(chunk_count);
  schedule_.current().body = [=, &settings, parameters = std::move(parameters)] {
    size_t filled = 0;
    for (const Parameter &p : parameters) {
      for (int64_t start = 0; start < p.count; start += update_chunk) {
        UpdateChunk &chunk = (*chunks)[filled++];
        chunk.parameter = p.value->f32() + start;
        chunk.first = p.first->f32() + start;
        chunk.second = p.second ? p.second->f32() + start : nullptr;
        chunk.gradient = f32(p.gradient) + start;
        chunk.count = std::min(update_chunk, p.count - start);
      }
    }
    (adam ? kernels().adam : kernels().sgd)(chunks->data(), static_cast<int64_t>(chunks->size()),
                                            settings.f32());
    for (const Parameter &p : parameters) {
      p.value->changed();
      p.first->changed();
      if (p.second) p.second->changed();
    }
  };
}

}  // namespace gapcam::cpu
