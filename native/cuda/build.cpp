// The forward pass.
#include <algorithm>

#include "program.h"
#include "resize_coefficients.h"

namespace gapcam::cuda {

namespace {

template <class T>
std::string bytes_of(const std::vector<T> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

void Program::build_forward(const Node &node) {
  import_map(node.operation.inputs[0]);
  switch (node.operation.kind) {
    case OperationKind::prepare_images:
      return build_prepare_images(node);
    case OperationKind::conv2d:
      return build_conv2d(node);
    case OperationKind::leaky_relu:
      return build_leaky_relu(node);
    case OperationKind::batch_norm2d:
      return build_batch_norm(node);
    case OperationKind::max_pool2d:
      return build_max_pool(node);
    case OperationKind::global_average_pool:
      return build_average_pool(node);
    case OperationKind::spatial_sum:
      return build_spatial_sum(node);
    case OperationKind::linear:
      return build_linear(node);
    case OperationKind::cross_entropy:
      return build_cross_entropy(node);
  }
}

void Program::build_prepare_images(const Node &node) {
  const Operation &o = node.operation;
  const Shape &from = shape(o.inputs[0]);
  const Shape &to = shape(o.output);
  const int64_t batch = from[0], channels = from[3];
  const std::vector<float> levels = normalised_levels(o.mean, o.deviation);
  const View table = new_constant(levels.size() * sizeof(float), [=] { return bytes_of(levels); });
  // A direction's table and where its parts lie.
  struct Direction {
    ResizeTable table{};
    View first, count, weights;
  };
  const auto direction = [&](int64_t input_size, int64_t output_size) {
    Direction made;
    made.table.input = static_cast<int>(input_size);
    made.table.output = static_cast<int>(output_size);
    if (input_size == output_size) return made;
    const ResizeCoefficients values(input_size, output_size);
    made.table.taps = static_cast<int>(values.taps);
    const auto constant = [&](const std::vector<int32_t> &list) {
      return new_constant(list.size() * sizeof(int32_t), [=] { return bytes_of(list); });
    };
    made.first = constant(values.first);
    made.count = constant(values.count);
    made.weights = constant(values.weights);
    return made;
  };
  const Direction rows = direction(from[1], to[2]), columns = direction(from[2], to[3]);
  const auto resolve = [this](const Direction &one) {
    ResizeTable made = one.table;
    made.first = reinterpret_cast<const int *>(address(one.first));
    made.count = reinterpret_cast<const int *>(address(one.count));
    made.weights = reinterpret_cast<const int *>(address(one.weights));
    return made;
  };
  begin_step(GAPCAM_FORWARD, &node, "prepare_images");
  const View images = input(o.inputs[0]), made = output(o.output);
  View narrowed;
  if (columns.first) {
    narrowed = schedule_.make(static_cast<size_t>(batch * from[1] * to[3] * channels));
    schedule_.use(narrowed);
  }
  const int64_t all_channels = stored_channels(o.output);
  run([=](const Gpu &gpu) {
    driver::Pointer source = address(images);
    if (narrowed) {
      gpu.launch_over(gpu.kernels().resize_columns, batch * from[1] * to[3] * channels, source,
                      address(narrowed), batch * from[1], channels, resolve(columns));
      source = address(narrowed);
    }
    const int64_t count = batch * to[2] * to[3];
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, source, address(table), address(made), batch, to[3], channels,
                      all_channels, resolve(rows));
    };
    bf16_ ? run(gpu.kernels().prepare_images_bf16) : run(gpu.kernels().prepare_images_f32);
  });
}

GraphRequest Program::request(const Node &node, GraphKind kind) const {
  const Operation &o = node.operation;
  GraphRequest made;
  made.kind = kind;
  made.batch = shape(o.inputs[0])[0];
  made.inputs = stored_channels(o.inputs[0]);
  made.height = shape(o.inputs[0])[2];
  made.width = shape(o.inputs[0])[3];
  made.outputs = stored_channels(o.output);
  made.output_height = shape(o.output)[2];
  made.output_width = shape(o.output)[3];
  made.kernel_height = o.kernel_height;
  made.kernel_width = o.kernel_width;
  made.stride_height = o.stride_height;
  made.stride_width = o.stride_width;
  made.padding_height = o.padding_height;
  made.padding_width = o.padding_width;
  made.type = bf16_ ? cudnn::data_bfloat16 : cudnn::data_float;
  made.tf32 = tf32_;
  return made;
}

double Program::convolution_flops(const Operation &o) const {
  return 2.0 * static_cast<double>(element_count(shape(o.output))) *
         static_cast<double>(element_count(shape(o.inputs[1])) / shape(o.inputs[1])[0]);
}

// A convolution's weight in the maps' type and with their channels, and its bias. Where the
// device's tensors have that form they are taken as they are.
Program::Weight Program::prepare_weight(const Node &node) {
  const Operation &o = node.operation;
  CudaStorage *weight = required_storage(o.inputs[1], "convolution's weight");
  CudaStorage *bias =
      o.inputs[2] == no_value ? nullptr : required_storage(o.inputs[2], "convolution's bias");
  const Shape &s = shape(o.inputs[1]);
  const int64_t outputs = s[0], inputs = s[1], kernel = s[2] * s[3];
  const int64_t all_outputs = stored(outputs), all_inputs = stored(inputs);
  Weight made{{weight}, {bias}};
  const auto depends = [&](CudaStorage *one) {
    if (one) prepared_.push_back(one);
  };
  View factor;
  if (node.has_norm) {
    const Operation &n = node.norm;
    const View folded_factor =
        schedule_.make_forever(static_cast<size_t>(all_outputs) * sizeof(float));
    const View folded_bias =
        schedule_.make_forever(static_cast<size_t>(all_outputs) * sizeof(float));
    factor = folded_factor;
    made.bias = folded_bias;
    CudaStorage *norm[4];
    for (size_t i = 0; i < 4; i++) {
      norm[i] = required_storage(n.inputs[i + 1], "batch normalisation's parameter");
      depends(norm[i]);
    }
    depends(bias);
    const float epsilon = n.epsilon;
    prepare("fold batch_norm2d", [=, gamma = norm[0], beta = norm[1], mean = norm[2],
                                  variance = norm[3]](const Gpu &gpu) {
      gpu.launch_over(gpu.kernels().fold_norm, all_outputs, gamma->address(), beta->address(),
                      mean->address(), variance->address(), bias ? bias->address() : 0,
                      address(folded_factor), address(folded_bias), outputs, all_outputs, epsilon);
    });
  } else if (bias && all_outputs != outputs) {
    made.bias = schedule_.make_forever(static_cast<size_t>(all_outputs) * sizeof(float));
    add_repack(repacks_, {bias}, made.bias, {}, 1, 1, 1, all_outputs, outputs, false, false);
    depends(bias);
  }
  if (bf16_ || factor || all_outputs != outputs || all_inputs != inputs) {
    made.weight = schedule_.make_forever(static_cast<size_t>(all_outputs * kernel * all_inputs) *
                                         element_bytes());
    add_repack(repacks_, {weight}, made.weight, factor, all_outputs, outputs, kernel, all_inputs,
               inputs, false, bf16_);
    depends(weight);
  }
  return made;
}

void Program::build_conv2d(const Node &node) {
  const Operation &o = node.operation;
  const Weight weight = prepare_weight(node);
  weights_[node.index] = weight;
  const bool has_bias = static_cast<bool>(weight.bias);
  GraphRequest plain = request(node, GraphKind::forward), fused = plain;
  fused.bias = has_bias;
  fused.slope = o.negative_slope;
  std::vector<GraphRequest> variants = {fused};
  if (fused.fused()) variants.push_back(plain);
  const Planner::Choice &choice = planner_.choose(variants);
  const bool is_fused = choice.variant == 0;

  Step &step = begin_step(GAPCAM_FORWARD, &node, "conv2d");
  step.algorithm = choice.describe();
  step.flops = convolution_flops(o);
  const View source = input(o.inputs[0]), made = output(o.output);
  use_workspace(choice.plan->workspace);
  const int64_t group_count = groups(o.output), channel_groups = stored_channels(o.output) / lanes_;
  run([=, plan = choice.plan, slope = o.negative_slope](const Gpu &gpu) {
    const auto pointer = [&](const View &one) { return reinterpret_cast<void *>(address(one)); };
    std::vector<int64_t> ids = {id_x, id_w, id_y};
    std::vector<void *> pointers = {pointer(source), pointer(weight.weight), pointer(made)};
    if (is_fused && has_bias) {
      ids.push_back(id_bias);
      pointers.push_back(pointer(weight.bias));
    }
    gpu.check_cudnn(
        execute(gpu.libraries(), gpu.cudnn(), *plan, ids, pointers, pointer(schedule_.scratch())),
        "run a convolution");
    if (is_fused) return;
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, group_count, address(made), address(weight.bias), address(made),
                      group_count, channel_groups, slope);
    };
    bf16_ ? run(gpu.kernels().bias_leaky_relu_bf16) : run(gpu.kernels().bias_leaky_relu_f32);
  });
}

void Program::build_leaky_relu(const Node &node) {
  const Operation &o = node.operation;
  begin_step(GAPCAM_FORWARD, &node, "leaky_relu");
  const View source = input(o.inputs[0]), made = output(o.output);
  const int64_t count = groups(o.output);
  const bool narrow = bf16_ && is_map(o.output);
  run([=, slope = o.negative_slope](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(source), address(made), count, slope);
    };
    narrow ? run(gpu.kernels().leaky_relu_bf16) : run(gpu.kernels().leaky_relu_f32);
  });
}

NormShape Program::norm_shape(const Operation &o) const {
  NormShape made{};
  made.positions = shape(o.output)[0] * pixels(o.output);
  made.channels = static_cast<int>(shape(o.output)[1]);
  made.stored_channels = static_cast<int>(stored_channels(o.output));
  made.epsilon = o.epsilon;
  made.momentum = o.momentum;
  made.negative_slope = o.negative_slope;
  made.training = graph_->training;
  return made;
}

void Program::build_batch_norm(const Node &node) {
  const Operation &o = node.operation;
  const NormShape norm = norm_shape(o);
  begin_step(GAPCAM_FORWARD, &node, "batch_norm2d");
  const View source = input(o.inputs[0]), weight = input(o.inputs[1]), bias = input(o.inputs[2]),
             mean = input(o.inputs[3]), variance = input(o.inputs[4]), made = output(o.output);
  const View saved = schedule_.make(static_cast<size_t>(2 * norm.stored_channels) * sizeof(float));
  schedule_.use(saved);
  norms_[o.output] = saved;
  const SumShape sum = sum_shape(norm.positions, norm.stored_channels, 1);
  const View partial = schedule_.make(sum.partial_bytes);
  schedule_.use(partial);
  if (norm.training) {
    for (const size_t i : {3, 4}) {
      changed_.push_back({GAPCAM_FORWARD, required_storage(o.inputs[i], "running statistic")});
    }
  }
  const int64_t count = groups(o.output);
  run([=](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto apply = [&](const auto &sum_channels, const auto &sum_deviations,
                           const auto &normalise) {
      if (norm.training) {
        gpu.launch(sum_channels, sum.blocks, sum.slices, address(source), address(partial),
                   norm.positions, norm.stored_channels, sum.columns);
        gpu.launch(k.norm_mean, sum.finish_blocks, 1, address(partial), address(saved), sum.slices,
                   norm);
        gpu.launch(sum_deviations, sum.blocks, sum.slices, address(source), address(saved),
                   address(partial), norm.positions, norm.stored_channels, sum.columns);
        gpu.launch(k.norm_deviation, sum.finish_blocks, 1, address(partial), address(saved),
                   address(mean), address(variance), sum.slices, norm);
      } else {
        gpu.launch_over(k.norm_running, norm.stored_channels, address(mean), address(variance),
                        address(saved), norm);
      }
      gpu.launch_over(normalise, count, address(source), address(made), address(weight),
                      address(bias), address(saved), norm);
    };
    if (bf16_) {
      apply(k.sum_channels_bf16, k.sum_deviations_bf16, k.norm_bf16);
    } else {
      apply(k.sum_channels_f32, k.sum_deviations_f32, k.norm_f32);
    }
  });
}

PoolShape Program::pool_shape(const Operation &o) const {
  const auto number = [](int64_t value) { return static_cast<int>(value); };
  PoolShape made{};
  made.batch = number(shape(o.inputs[0])[0]);
  made.channels = number(stored_channels(o.inputs[0]));
  made.height = number(shape(o.inputs[0])[2]);
  made.width = number(shape(o.inputs[0])[3]);
  made.output_height = number(shape(o.output)[2]);
  made.output_width = number(shape(o.output)[3]);
  made.kernel_height = o.kernel_height;
  made.kernel_width = o.kernel_width;
  made.stride_height = o.stride_height;
  made.stride_width = o.stride_width;
  made.padding_height = o.padding_height;
  made.padding_width = o.padding_width;
  return made;
}

void Program::build_max_pool(const Node &node) {
  const Operation &o = node.operation;
  const PoolShape pool = pool_shape(o);
  const bool narrow = pool.kernel_height * pool.kernel_width <= 256;
  begin_step(GAPCAM_FORWARD, &node, "max_pool2d");
  const View source = input(o.inputs[0]), made = output(o.output);
  const int64_t count = groups(o.output);
  View argmax;
  if (o.differentiated) {
    argmax = schedule_.make(static_cast<size_t>(count * lanes_) * (narrow ? 1 : 4));
    schedule_.use(argmax);
  }
  pooled_[o.output] = {pool, argmax};
  run([=](const Gpu &gpu) {
    const Kernels &k = gpu.kernels();
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, address(source), address(made), address(argmax), pool);
    };
    if (narrow) {
      bf16_ ? run(k.max_pool_bf16_u8) : run(k.max_pool_f32_u8);
    } else {
      bf16_ ? run(k.max_pool_bf16_i32) : run(k.max_pool_f32_i32);
    }
  });
}

void Program::build_average_pool(const Node &node) {
  const Operation &o = node.operation;
  const int64_t batch = shape(o.output)[0], channels = shape(o.output)[1];
  const int64_t all_channels = stored_channels(o.inputs[0]), count = pixels(o.inputs[0]);
  const SumShape sum = sum_shape(count, all_channels, 1);
  begin_step(GAPCAM_FORWARD, &node, "global_average_pool");
  const View source = input(o.inputs[0]), made = output(o.output);
  run([=](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, sum.blocks, batch, address(source), address(made), count, channels,
                 all_channels, sum.columns);
    };
    bf16_ ? run(gpu.kernels().average_pool_bf16) : run(gpu.kernels().average_pool_f32);
  });
}

void Program::build_spatial_sum(const Node &node) {
  const Operation &o = node.operation;
  const int64_t batch = shape(o.output)[0], channels = shape(o.output)[1];
  const int64_t all_channels = stored_channels(o.inputs[0]), count = pixels(o.inputs[0]);
  const SumShape sum = sum_shape(count, all_channels, 1);
  begin_step(GAPCAM_FORWARD, &node, "spatial_sum");
  const View source = input(o.inputs[0]), weights = input(o.inputs[1]), made = output(o.output);
  run([=](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, sum.blocks, batch, address(source), address(weights), address(made), count,
                 channels, all_channels, sum.columns);
    };
    bf16_ ? run(gpu.kernels().spatial_sum_bf16) : run(gpu.kernels().spatial_sum_f32);
  });
}

// Row-major y [rows, columns] = a * b, where `transpose` says which of a and b lies transposed.
// cuBLAS is column-major: it computes y^T = b^T * a^T.
void multiply(const Gpu &gpu, const MatrixProduct &p, driver::Pointer a, driver::Pointer b,
              driver::Pointer y) {
  const float one = 1.0f, zero = 0.0f;
  const auto number = [](int64_t value) { return static_cast<int32_t>(value); };
  gpu.check_cublas(gpu.libraries().cublas.cublasSgemm_v2(
                       gpu.cublas(), p.transpose_b ? cublas::transposed : cublas::as_stored,
                       p.transpose_a ? cublas::transposed : cublas::as_stored, number(p.columns),
                       number(p.rows), number(p.inner), &one, reinterpret_cast<const float *>(b),
                       number(p.transpose_b ? p.inner : p.columns),
                       reinterpret_cast<const float *>(a), number(p.transpose_a ? p.rows : p.inner),
                       &zero, reinterpret_cast<float *>(y), number(p.columns)),
                   "multiply matrices");
}

void Program::build_linear(const Node &node) {
  const Operation &o = node.operation;
  const int64_t batch = shape(o.inputs[0])[0], inputs = shape(o.inputs[0])[1],
                outputs = shape(o.output)[1];
  Step &step = begin_step(GAPCAM_FORWARD, &node, "linear");
  step.algorithm = "cuBLAS";
  step.flops = 2.0 * static_cast<double>(batch * inputs * outputs);
  const View source = input(o.inputs[0]), weight = input(o.inputs[1]), bias = input(o.inputs[2]),
             made = output(o.output);
  run([=](const Gpu &gpu) {
    multiply(gpu, {batch, outputs, inputs, false, true}, address(source), address(weight),
             address(made));
    if (bias) {
      gpu.launch_over(gpu.kernels().add_bias, batch * outputs, address(made), address(bias),
                      batch * outputs, outputs);
    }
  });
}

void Program::build_cross_entropy(const Node &node) {
  const Operation &o = node.operation;
  const LossShape loss{static_cast<int>(shape(o.inputs[0])[0]),
                       static_cast<int>(shape(o.inputs[0])[1]), o.label_smoothing};
  begin_step(GAPCAM_FORWARD, &node, "cross_entropy");
  const View logits = input(o.inputs[0]), labels = input(o.inputs[1]), metrics = input(o.inputs[2]),
             made = output(o.output);
  if (metrics) {
    changed_.push_back({GAPCAM_FORWARD, required_storage(o.inputs[2], "metrics tensor")});
  }
  run([=](const Gpu &gpu) {
    gpu.launch(gpu.kernels().cross_entropy, 1, 1, address(logits), address(labels), address(made),
               address(metrics), loss);
  });
}

}  // namespace gapcam::cuda
