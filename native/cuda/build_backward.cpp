// The backward pass and the optimiser's steps.
#include <algorithm>

#include "program.h"

namespace gapcam::cuda {

namespace {

size_t at(ValueId value) { return static_cast<size_t>(value); }

}  // namespace

// A target's gradient lies as the target does. Where that is not how maps lie, it is made as a map
// and copied by finish_gradient.
View Program::gradient_output(ValueId value) {
  if (!gradients_[at(value)]) {
    const bool direct = targets_[at(value)] && !imported_[at(value)];
    gradients_[at(value)] = direct ? targets_[at(value)] : new_value(value);
  }
  schedule_.use(gradients_[at(value)]);
  return gradients_[at(value)];
}

View Program::gradient_input(ValueId value) {
  schedule_.use(gradients_[at(value)]);
  return gradients_[at(value)];
}

View Program::gradient_in_place(ValueId value, const View &arriving) {
  if (!gradients_[at(value)] && !targets_[at(value)]) gradients_[at(value)] = arriving;
  return gradient_output(value);
}

void Program::finish_gradient(ValueId value) {
  if (!targets_[at(value)] || !imported_[at(value)]) return;
  begin_step(GAPCAM_BACKWARD, nullptr, "export").name = "export " + to_string(shape(value));
  const View source = gradient_input(value), made = targets_[at(value)];
  schedule_.use(made);
  const MapCopy copy = map_copy(shape(value), false);
  run([=](const Gpu &gpu) {
    const int64_t count = copy.batch * copy.pixels * copy.channels;
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(source), address(made), copy);
    };
    bf16_ ? run(gpu.kernels().copy_bf16_to_f32) : run(gpu.kernels().copy_f32_to_f32);
  });
}

float Program::pending_slope(ValueId value) const {
  const int maker = fused_.producer[at(value)];
  if (maker < 0) return 1.0f;
  const Operation &made = fused_.nodes[static_cast<size_t>(maker)].operation;
  const bool leaky = made.kind == OperationKind::conv2d || made.kind == OperationKind::leaky_relu;
  return leaky && made.differentiated ? made.negative_slope : 1.0f;
}

float Program::remaining_slope(const Operation &operation) const {
  return sloped_[at(operation.output)] ? 1.0f : operation.negative_slope;
}

void Program::build_backward() {
  const Backward &backward = graph_->backward;
  for (size_t i = 0; i < backward.targets.size(); i++) {
    const ValueId gradient = backward.gradients[i];
    const View reference =
        schedule_.make_forever(static_cast<size_t>(element_count(shape(gradient))) * sizeof(float));
    targets_[at(backward.targets[i])] = reference;
    values_[at(gradient)] = reference;
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
void Program::seed_gradient() {
  const ValueId output = graph_->backward.output;
  const ValueId given = graph_->backward.output_gradient;
  begin_step(GAPCAM_BACKWARD, nullptr, "output_gradient").name =
      "output_gradient " + to_string(shape(output));
  const View seed = gradient_output(output);
  if (given == no_value) {
    const int64_t count = groups(output) * 16 / static_cast<int64_t>(sizeof(float));
    if (bf16_ && is_map(output)) {
      throw Error(GAPCAM_UNSUPPORTED,
                  "Cannot differentiate a feature map of one element without an output gradient in "
                  "bf16");
    }
    run([=](const Gpu &gpu) {
      gpu.launch_over(gpu.kernels().fill_f32, count, address(seed), 1.0f, count);
    });
    return;
  }
  CudaStorage *source = required_storage(given, "output gradient");
  MapCopy copy{};
  if (is_map(output)) {
    copy = map_copy(shape(output), true);
  } else {
    copy.batch = copy.pixels = 1;
    copy.channels = copy.filled = element_count(shape(output));
    copy.source_channel = copy.target_channel = 1;
    copy.channels_innermost = 1;
  }
  const bool narrow = bf16_ && is_map(output);
  run([=](const Gpu &gpu) {
    const int64_t count = copy.batch * copy.pixels * copy.channels;
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, source->address(), address(seed), copy);
    };
    narrow ? run(gpu.kernels().copy_f32_to_bf16) : run(gpu.kernels().copy_f32_to_f32);
  });
}

void Program::build_conv2d_backward(const Node &node) {
  const Operation &o = node.operation;
  if (const float slope = remaining_slope(o); slope != 1.0f) {
    begin_step(GAPCAM_BACKWARD, &node, "leaky_relu backward");
    const View d = gradient_input(o.output), y = input(o.output);
    const int64_t count = groups(o.output);
    run([=](const Gpu &gpu) {
      const auto run = [&](const auto &kernel) {
        gpu.launch_over(kernel, count, address(y), address(d), address(d), count, slope);
      };
      bf16_ ? run(gpu.kernels().leaky_relu_backward_bf16)
            : run(gpu.kernels().leaky_relu_backward_f32);
    });
  }
  const View gradient = gradients_[at(o.output)];
  if (o.inputs[2] != no_value && o.needs_gradient[2]) add_bias_gradient(node, gradient);
  if (o.needs_gradient[1]) add_weight_gradient(node, gradient);
  if (!o.needs_gradient[0]) return;

  const ValueId source = o.inputs[0];
  GraphRequest plain = request(node, GraphKind::backward_data), fused = plain;
  fused.slope = pending_slope(source);
  std::vector<GraphRequest> variants = {fused};
  if (fused.fused()) variants.push_back(plain);
  const Planner::Choice &choice = planner_.choose(variants);
  const bool is_fused = choice.variant == 0;
  Step &step = begin_step(GAPCAM_BACKWARD, &node, "conv2d backward data");
  step.algorithm = choice.describe();
  step.flops = convolution_flops(o);
  schedule_.use(gradient);
  const View weight = weights_[node.index].weight;
  const View made = fused.fused() ? input(source) : View{};
  const View d_input = gradient_output(source);
  if (fused.fused()) take_slope(source);
  use_workspace(choice.plan->workspace);
  const int64_t count = groups(source);
  run([=, plan = choice.plan, slope = fused.slope](const Gpu &gpu) {
    const auto pointer = [&](const View &one) { return reinterpret_cast<void *>(address(one)); };
    std::vector<int64_t> ids = {id_w, id_y, id_x};
    std::vector<void *> pointers = {pointer(weight), pointer(gradient), pointer(d_input)};
    if (made && is_fused) {
      ids.push_back(id_made);
      pointers.push_back(pointer(made));
    }
    gpu.check_cudnn(
        execute(gpu.libraries(), gpu.cudnn(), *plan, ids, pointers, pointer(schedule_.scratch())),
        "run a convolution's backward");
    if (!made || is_fused) return;
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(made), address(d_input), address(d_input), count,
                      slope);
    };
    bf16_ ? run(gpu.kernels().leaky_relu_backward_bf16)
          : run(gpu.kernels().leaky_relu_backward_f32);
  });
  finish_gradient(source);
}

void Program::add_bias_gradient(const Node &node, const View &gradient) {
  const Operation &o = node.operation;
  const int64_t positions = shape(o.output)[0] * pixels(o.output);
  const int64_t channels = shape(o.output)[1], all_channels = stored_channels(o.output);
  const SumShape sum = sum_shape(positions, all_channels, 1);
  begin_step(GAPCAM_BACKWARD, &node, "conv2d backward bias");
  schedule_.use(gradient);
  const View partial = schedule_.make(sum.partial_bytes);
  schedule_.use(partial);
  const View d_bias = gradient_output(o.inputs[2]);
  run([=](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, sum.blocks, sum.slices, address(gradient), address(partial), positions,
                 all_channels, sum.columns);
    };
    bf16_ ? run(k.sum_channels_bf16) : run(k.sum_channels_f32);
    gpu.launch(k.finish_sum_channels, sum.finish_blocks, 1, address(partial), address(d_bias),
               sum.slices, channels, all_channels);
  });
}

void Program::add_weight_gradient(const Node &node, const View &gradient) {
  const Operation &o = node.operation;
  const GraphRequest exact = request(node, GraphKind::backward_filter);
  std::vector<GraphRequest> variants = {exact};
  if (bf16_) {
    variants.push_back(exact);
    variants.back().gradient_type = cudnn::data_bfloat16;
  }
  const Planner::Choice &choice = planner_.choose(variants);
  const bool narrow = choice.request().gradient_type == cudnn::data_bfloat16;
  const Shape &s = shape(o.inputs[1]);
  const bool same = !narrow && exact.outputs == s[0] && exact.inputs == s[1];

  Step &step = begin_step(GAPCAM_BACKWARD, &node, "conv2d backward filter");
  step.algorithm = choice.describe();
  step.flops = convolution_flops(o);
  schedule_.use(gradient);
  const View source = input(o.inputs[0]), d_weight = gradient_output(o.inputs[1]);
  use_workspace(choice.plan->workspace);
  View made = d_weight, list;
  int64_t chunk_count = 0;
  if (!same) {
    made = schedule_.make(static_cast<size_t>(exact.outputs * s[2] * s[3] * exact.inputs) *
                          (narrow ? 2 : 4));
    schedule_.use(made);
    std::vector<std::function<RepackChunk()>> chunks;
    add_repack(chunks, made, d_weight, {}, s[0], exact.outputs, s[2] * s[3], s[1], exact.inputs,
               narrow, false);
    chunk_count = static_cast<int64_t>(chunks.size());
    list = new_constant(chunks.size() * sizeof(RepackChunk), [chunks] {
      std::string content;
      for (const auto &one : chunks) {
        const RepackChunk chunk = one();
        content.append(reinterpret_cast<const char *>(&chunk), sizeof chunk);
      }
      return content;
    });
  }
  run([=, plan = choice.plan](const Gpu &gpu) {
    const auto pointer = [&](const View &one) { return reinterpret_cast<void *>(address(one)); };
    gpu.check_cudnn(
        execute(gpu.libraries(), gpu.cudnn(), *plan, {id_x, id_y, id_w},
                {pointer(source), pointer(gradient), pointer(made)}, pointer(schedule_.scratch())),
        "run a convolution's backward");
    if (chunk_count > 0) gpu.launch(gpu.kernels().repack, chunk_count, 1, address(list));
  });
}

void Program::build_leaky_relu_backward(const Node &node) {
  const Operation &o = node.operation;
  const float slope = remaining_slope(o);
  begin_step(GAPCAM_BACKWARD, &node, "leaky_relu backward");
  const View d_y = gradient_input(o.output), y = input(o.output);
  const View d_x = gradient_in_place(o.inputs[0], d_y);
  const int64_t count = groups(o.output);
  const bool narrow = bf16_ && is_map(o.output);
  run([=](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(y), address(d_y), address(d_x), count, slope);
    };
    narrow ? run(gpu.kernels().leaky_relu_backward_bf16)
           : run(gpu.kernels().leaky_relu_backward_f32);
  });
  finish_gradient(o.inputs[0]);
}

void Program::build_batch_norm_backward(const Node &node) {
  const Operation &o = node.operation;
  const NormShape norm = norm_shape(o);
  const SumShape sum = sum_shape(norm.positions, norm.stored_channels, 2);
  begin_step(GAPCAM_BACKWARD, &node, "batch_norm2d backward");
  const View d_y = gradient_input(o.output), x = input(o.inputs[0]), weight = input(o.inputs[1]),
             bias = input(o.inputs[2]), saved = norms_[o.output];
  schedule_.use(saved);
  const View partial = schedule_.make(sum.partial_bytes);
  schedule_.use(partial);
  const View sums = schedule_.make(static_cast<size_t>(2 * norm.stored_channels) * sizeof(float));
  schedule_.use(sums);
  View d_x, d_weight, d_bias;
  if (o.needs_gradient[0]) d_x = gradient_in_place(o.inputs[0], d_y);
  if (o.needs_gradient[1]) d_weight = gradient_output(o.inputs[1]);
  if (o.needs_gradient[2]) d_bias = gradient_output(o.inputs[2]);
  const int64_t count = groups(o.output);
  run([=](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto run = [&](const auto &sum_gradients, const auto &backward) {
      gpu.launch(sum_gradients, sum.blocks, sum.slices, address(x), address(d_y), address(weight),
                 address(bias), address(saved), address(partial), norm, sum.columns);
      gpu.launch(k.norm_gradients, sum.finish_blocks, 1, address(partial), address(saved),
                 address(sums), address(d_weight), address(d_bias), sum.slices, norm);
      if (!d_x) return;
      gpu.launch_over(backward, count, address(x), address(d_y), address(d_x), address(weight),
                      address(bias), address(saved), address(sums), norm);
    };
    bf16_ ? run(k.sum_norm_gradients_bf16, k.norm_backward_bf16)
          : run(k.sum_norm_gradients_f32, k.norm_backward_f32);
  });
  if (o.needs_gradient[0]) finish_gradient(o.inputs[0]);
}

void Program::build_max_pool_backward(const Node &node) {
  const Operation &o = node.operation;
  const Pooled &pooled = pooled_[o.output];
  const PoolShape pool = pooled.shape;
  const bool narrow = pool.kernel_height * pool.kernel_width <= 256;
  begin_step(GAPCAM_BACKWARD, &node, "max_pool2d backward");
  const View d_y = gradient_input(o.output), argmax = pooled.argmax;
  schedule_.use(argmax);
  const float slope = pending_slope(o.inputs[0]);
  const View y = slope != 1.0f ? input(o.output) : View{};
  take_slope(o.inputs[0]);
  const View d_x = gradient_output(o.inputs[0]);
  const int64_t count = groups(o.inputs[0]);
  run([=](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(d_y), address(argmax), address(y), address(d_x), pool,
                      slope);
    };
    if (narrow) {
      bf16_ ? run(k.max_pool_backward_bf16_u8) : run(k.max_pool_backward_f32_u8);
    } else {
      bf16_ ? run(k.max_pool_backward_bf16_i32) : run(k.max_pool_backward_f32_i32);
    }
  });
  finish_gradient(o.inputs[0]);
}

void Program::build_average_pool_backward(const Node &node) {
  const Operation &o = node.operation;
  const int64_t channels = shape(o.output)[1], all_channels = stored_channels(o.inputs[0]);
  const int64_t pixel_count = pixels(o.inputs[0]), count = groups(o.inputs[0]);
  begin_step(GAPCAM_BACKWARD, &node, "global_average_pool backward");
  const View d_y = gradient_input(o.output);
  const float slope = pending_slope(o.inputs[0]);
  const View x = slope != 1.0f ? input(o.inputs[0]) : View{};
  take_slope(o.inputs[0]);
  const View d_x = gradient_output(o.inputs[0]);
  run([=](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(d_y), address(x), address(d_x), count, pixel_count,
                      channels, all_channels, slope);
    };
    bf16_ ? run(gpu.kernels().average_pool_backward_bf16)
          : run(gpu.kernels().average_pool_backward_f32);
  });
  finish_gradient(o.inputs[0]);
}

void Program::build_linear_backward(const Node &node) {
  const Operation &o = node.operation;
  const int64_t batch = shape(o.inputs[0])[0], inputs = shape(o.inputs[0])[1],
                outputs = shape(o.output)[1];
  Step &step = begin_step(GAPCAM_BACKWARD, &node, "linear backward");
  step.algorithm = "cuBLAS";
  step.flops = 4.0 * static_cast<double>(batch * inputs * outputs);
  const View d_y = gradient_input(o.output), x = input(o.inputs[0]), weight = input(o.inputs[1]);
  View d_x, d_weight, d_bias;
  if (o.needs_gradient[0]) d_x = gradient_output(o.inputs[0]);
  if (o.needs_gradient[1]) d_weight = gradient_output(o.inputs[1]);
  if (o.inputs[2] != no_value && o.needs_gradient[2]) d_bias = gradient_output(o.inputs[2]);
  run([=](const Gpu &gpu) {
    if (d_weight) {
      multiply(gpu, {outputs, inputs, batch, true, false}, address(d_y), address(x),
               address(d_weight));
    }
    if (d_bias) {
      gpu.launch_over(gpu.kernels().sum_rows_f32, outputs, address(d_y), address(d_bias), batch,
                      outputs);
    }
    if (d_x) {
      multiply(gpu, {batch, inputs, outputs, false, false}, address(d_y), address(weight),
               address(d_x));
    }
  });
}

void Program::build_cross_entropy_backward(const Node &node) {
  const Operation &o = node.operation;
  const LossShape loss{static_cast<int>(shape(o.inputs[0])[0]),
                       static_cast<int>(shape(o.inputs[0])[1]), o.label_smoothing};
  begin_step(GAPCAM_BACKWARD, &node, "cross_entropy backward");
  const View d_loss = gradient_input(o.output), logits = input(o.inputs[0]),
             labels = input(o.inputs[1]), d_logits = gradient_output(o.inputs[0]);
  run([=](const Gpu &gpu) {
    gpu.launch_over(gpu.kernels().cross_entropy_backward, loss.batch, address(logits),
                    address(labels), address(d_loss), address(d_logits), loss);
  });
}

void Program::build_update(const Update &update) {
  const bool adam = update.kind == UpdateKind::adam;
  struct Parameter {
    CudaStorage *value, *first, *second;
    View gradient;
    int64_t count;
  };
  std::vector<Parameter> parameters;
  int64_t chunk_count = 0, elements = 0;
  Step &step = begin_step(GAPCAM_UPDATE, nullptr, adam ? "adam" : "sgd");
  for (size_t i = 0; i < update.parameters.size(); i++) {
    Parameter p{};
    p.value = required_storage(update.parameters[i], "parameter");
    p.first = required_storage(update.first_moments[i], "moment");
    if (adam) p.second = required_storage(update.second_moments[i], "second moment");
    p.gradient = values_[at(update.gradients[i])];
    schedule_.use(p.gradient);
    p.count = element_count(shape(update.parameters[i]));
    chunk_count += (p.count + update_chunk - 1) / update_chunk;
    elements += p.count;
    parameters.push_back(p);
    for (CudaStorage *one : {p.value, p.first, p.second}) {
      if (one) changed_.push_back({GAPCAM_UPDATE, one});
    }
  }
  step.name = format("%s over %zu parameters", step.operation.c_str(), parameters.size());
  step.bytes = static_cast<double>(elements) * sizeof(float) * (adam ? 7 : 5);
  const View list =
      new_constant(static_cast<size_t>(chunk_count) * sizeof(UpdateChunk), [this, parameters] {
        std::string content;
        for (const Parameter &p : parameters) {
          const auto from = [](driver::Pointer base, int64_t start) {
            return base ? reinterpret_cast<float *>(base) + start : nullptr;
          };
          for (int64_t start = 0; start < p.count; start += update_chunk) {
            UpdateChunk chunk{};
            chunk.parameter = from(p.value->address(), start);
            chunk.first = from(p.first->address(), start);
            chunk.second = p.second ? from(p.second->address(), start) : nullptr;
            chunk.gradient = from(address(p.gradient), start);
            chunk.count = std::min<int64_t>(update_chunk, p.count - start);
            content.append(reinterpret_cast<const char *>(&chunk), sizeof chunk);
          }
        }
        return content;
      });
  CudaStorage *settings = required_storage(update.settings, "settings");
  run([=](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, chunk_count, 1, address(list), settings->address());
    };
    adam ? run(gpu.kernels().adam) : run(gpu.kernels().sgd);
  });
}

}  // namespace gapcam::cuda
