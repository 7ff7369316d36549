#include "direct_conv2d.h"

namespace gapcam::cuda {

double flops_of(const Lowering &l, const Operation &convolution) {
  const Shape &weight = l.shape(convolution.inputs[1].value);
  return 2.0 * static_cast<double>(element_count(l.shape(convolution.outputs[0]))) *
         static_cast<double>(element_count(weight) / weight[0]);
}

Lowering::Weight fold(Lowering &l, const Operation &o, int64_t outputs, int64_t all_outputs) {
  const auto bytes = static_cast<size_t>(all_outputs) * sizeof(float);
  const View factor = l.forever(bytes), folded = l.forever(bytes);
  for (size_t i = 2; i < 7; i++) l.depends_on(l.storage(o.inputs[i]));
  l.prepare(
      "fold batch_norm2d", [=, bias = l.storage(o.inputs[2]), gamma = l.storage(o.inputs[3]),
                            beta = l.storage(o.inputs[4]), mean = l.storage(o.inputs[5]),
                            variance = l.storage(o.inputs[6]), epsilon = o.as<Conv2d>()->epsilon,
                            address = l.addresses()](const Gpu &gpu) {
        gpu.launch_over(gpu.kernels().fold_norm, all_outputs, gamma->address(), beta->address(),
                        mean->address(), variance->address(), bias ? bias->address() : 0,
                        address(factor), address(folded), outputs, all_outputs, epsilon);
      });
  return {factor, folded};
}

namespace {

// The groups of the maps as they are stored: channels that only fill up make groups of their own.
// 0 if they cannot, since groups and 16 bytes of channels do not meet.
int64_t stored_groups(const Lowering &l, const Operation &convolution) {
  const int64_t groups = convolution.as<Conv2d>()->groups;
  if (groups == 1) return 1;
  const ValueId input = convolution.inputs[0].value, output = convolution.outputs[0];
  const int64_t inputs = l.shape(input)[1] / groups, outputs = l.shape(output)[1] / groups;
  const int64_t all_inputs = l.stored_channels(input), all_outputs = l.stored_channels(output);
  if (all_inputs % inputs != 0 || all_outputs % outputs != 0) return 0;
  return all_inputs / inputs == all_outputs / outputs ? all_inputs / inputs : 0;
}

// `convolution` is the forward operation, whatever the direction.
GraphRequest request_of(const Lowering &l, const Operation &convolution, GraphKind kind) {
  const ValueId input = convolution.inputs[0].value, output = convolution.outputs[0];
  GraphRequest request;
  static_cast<ConvolutionWindow &>(request) = convolution.as<Conv2d>()->window;
  request.groups = stored_groups(l, convolution);
  request.kind = kind;
  request.batch = l.shape(input)[0];
  request.inputs = l.stored_channels(input);
  request.height = l.shape(input)[2];
  request.width = l.shape(input)[3];
  request.outputs = l.stored_channels(output);
  request.output_height = l.shape(output)[2];
  request.output_width = l.shape(output)[3];
  request.type = l.bf16() ? cudnn::data_bfloat16 : cudnn::data_float;
  request.tf32 = l.tf32();
  return request;
}

// A convolution's weight in the maps' type and with their channels, and its bias. Where the
// device's tensors have that form they are taken as they are.
Lowering::Weight prepare_weight(Lowering &l, const Operation &o) {
  CudaStorage *weight = l.storage(o.inputs[1]), *bias = l.storage(o.inputs[2]);
  const Shape &s = l.shape(o.inputs[1].value);
  const int64_t outputs = s[0], inputs = s[1], kernel = s[2] * s[3];
  const int64_t all_outputs = l.stored(outputs);
  const int64_t all_inputs = o.as<Conv2d>()->groups == 1 ? l.stored(inputs) : inputs;
  Lowering::Weight prepared{{weight}, {bias}};
  View factor;
  if (o.as<Conv2d>()->fold) {
    const Lowering::Weight folded = fold(l, o, outputs, all_outputs);
    factor = folded.weight;
    prepared.bias = folded.bias;
  } else if (bias && all_outputs != outputs) {
    prepared.bias = l.forever(static_cast<size_t>(all_outputs) * sizeof(float));
    l.prepare_repack({{bias}, prepared.bias, {}, 1, 1, 1, all_outputs, outputs, false, false});
    l.depends_on(bias);
  }
  if (l.bf16() || factor || all_outputs != outputs || all_inputs != inputs) {
    prepared.weight =
        l.forever(static_cast<size_t>(all_outputs * kernel * all_inputs) * l.element_bytes());
    l.prepare_repack({{weight},
                      prepared.weight,
                      factor,
                      all_outputs,
                      outputs,
                      kernel,
                      all_inputs,
                      inputs,
                      false,
                      l.bf16()});
    l.depends_on(weight);
  }
  return prepared;
}

// Adds our own kernel for the first of `variants` to them, where there is one.
void add_own(std::vector<GraphRequest> &variants) {
  if (!Depthwise::serves(variants[0])) return;
  GraphRequest own = variants[0];
  own.own = true;
  variants.push_back(own);
}

// The best of `variants`. Null where cuDNN cannot be asked, or has a plan for none, and our own
// kernels take its place: they are slow, which is better than nothing for what few networks have.
const Planner::Choice *choose(Lowering &l, const std::vector<GraphRequest> &variants) {
  const GraphRequest &wanted = variants[0];
  if (wanted.groups == 0) return nullptr;
  const bool usual = wanted.groups == 1 && !wanted.is_dilated() && wanted.is_symmetric();
  try {
    return &l.planner().choose(variants);
  } catch (const Error &error) {
    if (usual || error.status() != GAPCAM_UNSUPPORTED) throw;
    return nullptr;
  }
}

// Runs a plan on views, by the ids of its tensors.
struct Execution {
  std::shared_ptr<const Plan> plan;
  Addresses address;
  std::vector<int64_t> ids;
  std::vector<View> views;

  void operator()(const Gpu &gpu, const char *action) const {
    const auto pointer = [&](const View &view) { return reinterpret_cast<void *>(address(view)); };
    std::vector<void *> pointers;
    for (const View &view : views) pointers.push_back(pointer(view));
    gpu.check_cudnn(execute(gpu.libraries(), gpu.cudnn(), *plan, ids, pointers,
                            pointer(address.program->schedule().scratch())),
                    action);
  }
};

void lower_bias_gradient(Lowering &l, const Operation &o, const Operation &forward) {
  const ValueId output = forward.outputs[0];
  const int64_t positions = l.shape(output)[0] * l.pixels(output);
  const int64_t channels = l.shape(output)[1], all_channels = l.stored_channels(output);
  const SumShape sum = l.sum_shape(positions, all_channels, 1);
  const View gradient = l.read_map(o.inputs[0]);
  l.begin(o, "conv2d backward bias", output);
  const View partial = l.temporary(sum.partial_bytes), d_bias = l.write(o.outputs[1]);
  l.run(
      [=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
        const Kernels &k = gpu.kernels();
        const auto run = [&](const auto &kernel) {
          gpu.launch(kernel, sum.blocks, sum.slices, address(gradient), address(partial), positions,
                     all_channels, sum.columns);
        };
        bf16 ? run(k.sum_channels_bf16) : run(k.sum_channels_f32);
        gpu.launch(k.finish_sum_channels, sum.finish_blocks, 1, address(partial), address(d_bias),
                   sum.slices, channels, all_channels);
      },
      2);
}

}  // namespace

std::string refusal(const Graph &graph, const Operation &operation, const Conv2d &) {
  for (size_t i = 1; i < 3; i++) {
    const Operand &operand = operation.inputs[i];
    if (operand && !graph.value(operand.value).storage) {
      return format("its %s is made by the program, expected a tensor of the device",
                    i == 1 ? "weight" : "bias");
    }
  }
  return "";
}

void lower(Lowering &l, const Operation &o, const Conv2d &conv2d) {
  const bool has_bias = o.inputs[2] || conv2d.fold;
  GraphRequest plain = request_of(l, o, GraphKind::forward), fused = plain;
  fused.bias = has_bias;
  fused.adds = conv2d.adds;
  fused.activation = conv2d.activation;
  std::vector<GraphRequest> variants = {fused};
  if (fused.fused()) variants.push_back(plain);
  add_own(variants);
  const Planner::Choice *found = choose(l, variants);
  if (!found) return lower_direct(l, o, conv2d);
  const Planner::Choice &choice = *found;
  if (choice.request().own) return lower_own(l, o, conv2d, fused);
  const Lowering::Weight weight = l.weights[o.outputs[0]] = prepare_weight(l, o);
  const bool is_fused = choice.variant == 0;

  const View input = l.read_map(o.inputs[0]),
             added = l.read_map(conv2d.adds ? o.inputs.back() : Operand{});
  Step &step = l.begin(o);
  step.algorithm = choice.describe();
  step.flops = flops_of(l, o);
  const View output = l.write(o.outputs[0]);
  l.scratch(choice.plan->workspace);
  Execution convolve{
      choice.plan, l.addresses(), {id_x, id_w, id_y}, {input, weight.weight, output}};
  if (is_fused && has_bias) {
    convolve.ids.push_back(id_bias);
    convolve.views.push_back(weight.bias);
  }
  if (is_fused && added) {
    convolve.ids.push_back(id_added);
    convolve.views.push_back(added);
  }
  const int64_t positions = l.shape(o.outputs[0])[0] * l.pixels(o.outputs[0]),
                channels = l.stored_channels(o.outputs[0]);
  const SumShape blocks = l.sum_shape(positions, channels, 0);
  if (!is_fused) l.pass_again(output, 2);
  l.run(
      [=, address = l.addresses(), bf16 = l.bf16(), act = conv2d.activation](const Gpu &gpu) {
        convolve(gpu, "run a convolution");
        if (is_fused) return;
        const auto run = [&](const auto &kernel) {
          gpu.launch(kernel, blocks.blocks, blocks.map_slices, address(output),
                     address(weight.bias), address(added), address(output), positions, channels,
                     blocks.columns, act.kind, act.a, act.b);
        };
        bf16 ? run(gpu.kernels().epilogue_bf16) : run(gpu.kernels().epilogue_f32);
      },
      is_fused ? 1 : 2);
}

void lower(Lowering &l, const Operation &o, const Conv2dBackwardFilter &conv2d) {
  const Operation &forward = *l.fused().maker(conv2d.output);
  if (o.outputs[1] != no_value) lower_bias_gradient(l, o, forward);
  if (o.outputs[0] == no_value) return;
  const GraphRequest exact = request_of(l, forward, GraphKind::backward_filter);
  std::vector<GraphRequest> variants = {exact};
  if (l.bf16()) {
    variants.push_back(exact);
    variants.back().gradient_type = cudnn::data_bfloat16;
  }
  add_own(variants);
  const Planner::Choice *found = choose(l, variants);
  if (!found) return lower_direct(l, o, conv2d);
  const Planner::Choice &choice = *found;
  if (choice.request().own) return lower_own(l, o, conv2d, exact);
  const bool narrow = choice.request().gradient_type == cudnn::data_bfloat16;
  const Shape &s = l.shape(o.outputs[0]);
  const int64_t channels = exact.inputs / exact.groups;  // of the filter
  const bool same = !narrow && exact.outputs == s[0] && channels == s[1];

  const View gradient = l.read_map(o.inputs[0]), input = l.read_map(o.inputs[1]);
  Step &step = l.begin(o, "conv2d backward filter", conv2d.output);
  step.algorithm = choice.describe();
  step.flops = flops_of(l, forward);
  const View d_weight = l.write_plain(o.outputs[0]);
  l.scratch(choice.plan->workspace);
  View computed = d_weight, list;
  int64_t chunk_count = 0;
  if (!same) {
    computed = l.temporary(static_cast<size_t>(exact.weight_elements()) * (narrow ? 2 : 4));
    Lowering::Chunks chunks;
    l.add_chunks(
        chunks,
        {computed, d_weight, {}, s[0], exact.outputs, s[2] * s[3], s[1], channels, narrow, false});
    chunk_count = static_cast<int64_t>(chunks.size());
    list = l.chunk_list(chunks);
  }
  const Execution convolve{
      choice.plan, l.addresses(), {id_x, id_y, id_w}, {input, gradient, computed}};
  l.run(
      [=, address = l.addresses()](const Gpu &gpu) {
        convolve(gpu, "run a convolution's backward");
        if (chunk_count > 0) gpu.launch(gpu.kernels().repack, chunk_count, 1, address(list));
      },
      chunk_count > 0 ? 2 : 1);
}

void lower(Lowering &l, const Operation &o, const Conv2dBackwardData &conv2d) {
  const Operation &forward = *l.fused().maker(conv2d.output);
  GraphRequest plain = request_of(l, forward, GraphKind::backward_data), fused = plain;
  fused.activation = conv2d.input_activation;
  fused.adds = conv2d.adds;
  std::vector<GraphRequest> variants = {fused};
  if (fused.fused()) variants.push_back(plain);
  add_own(variants);
  const Planner::Choice *found = choose(l, variants);
  if (!found) return lower_direct(l, o, conv2d);
  const Planner::Choice &choice = *found;
  if (choice.request().own) return lower_own(l, o, conv2d, fused);
  // As the forward pass has it, unless that was not done by cuDNN.
  auto &weight = l.weights[conv2d.output];
  if (!weight.weight) weight = prepare_weight(l, forward);
  const bool is_fused = choice.variant == 0;

  const View gradient = l.read_map(o.inputs[0]), made = l.read_map(o.inputs[4]),
             added = l.read_map(conv2d.adds ? o.inputs.back() : Operand{});
  Step &step = l.begin(o, "conv2d backward data", conv2d.output);
  step.algorithm = choice.describe();
  step.flops = flops_of(l, forward);
  const View d_input = l.write(o.outputs[0]);
  l.scratch(choice.plan->workspace);
  Execution convolve{
      choice.plan, l.addresses(), {id_w, id_y, id_x}, {weight.weight, gradient, d_input}};
  if (made && is_fused) {
    convolve.ids.push_back(id_made);
    convolve.views.push_back(made);
  }
  if (added && is_fused) {
    convolve.ids.push_back(id_added);
    convolve.views.push_back(added);
  }
  const int64_t count = l.groups(o.outputs[0]);
  const bool completes = fused.fused() && !is_fused;
  if (completes) l.pass_again(d_input, 2);
  l.run(
      [=, address = l.addresses(), bf16 = l.bf16(),
       slope = fused.activation.slope()](const Gpu &gpu) {
        convolve(gpu, "run a convolution's backward");
        if (!completes) return;
        const auto run = [&](const auto &kernel) {
          gpu.launch_over(kernel, count, address(d_input), address(added), address(made),
                          address(d_input), count, slope);
        };
        bf16 ? run(gpu.kernels().gradient_epilogue_bf16) : run(gpu.kernels().gradient_epilogue_f32);
      },
      completes ? 2 : 1);
}

}  // namespace gapcam::cuda
