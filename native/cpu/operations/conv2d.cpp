#include "../lowering.h"
#include "elementwise.h"

namespace gapcam::cpu {

namespace {

// A weight in the form that a convolution takes, and the version that it was made from.
struct Weight {
  View plain, transformed;
  const CpuStorage *source = nullptr;
  uint64_t version = 0;

  void update(const ProgramMemory &m, Convolution &convolution) {
    if (source && version == source->version()) return;
    convolution.transform_weight(m.f32(plain), m.data(transformed), m.scratch());
    if (source) version = source->version();
  }
};

// A convolution's weight and bias with a batch normalisation folded in, made anew when one of what
// they are made from has changed.
struct Folded {
  View plain_weight, plain_bias, gamma, beta, mean, variance;
  View weight, bias;
  std::vector<const CpuStorage *> sources;
  bool known = true;  // whether every source tells its version
  int64_t outputs = 0, each = 0;
  float epsilon = 0.0f;
  uint64_t version = 0;

  Folded(Lowering &l, const Operation &o) : epsilon(o.as<Conv2d>()->epsilon) {
    for (size_t i = 1; i < 7; i++) {
      if (!o.inputs[i]) continue;
      sources.push_back(l.storage(o.inputs[i]));
      known = known && sources.back();
    }
    plain_weight = l.read_plain(o.inputs[1]);
    plain_bias = l.read_plain(o.inputs[2]);
    gamma = l.read_plain(o.inputs[3]);
    beta = l.read_plain(o.inputs[4]);
    mean = l.read_plain(o.inputs[5]);
    variance = l.read_plain(o.inputs[6]);
    outputs = l.shape(o.inputs[1].value)[0];
    each = element_count(l.shape(o.inputs[1].value)) / outputs;
    weight = l.forever(static_cast<size_t>(outputs * each) * sizeof(float));
    bias = l.forever(static_cast<size_t>(outputs) * sizeof(float));
  }

  void update(const ProgramMemory &m, Convolution &convolution, const View &transformed) {
    uint64_t now = 0;
    if (known) {
      for (const CpuStorage *source : sources) now += source->version();
      if (now == version) return;
    }
    for (int64_t c = 0; c < outputs; c++) {
      const double factor = fold_factor(m.f32(gamma)[c], m.f32(variance)[c], epsilon);
      m.f32(bias)[c] = fold_bias(factor, plain_bias ? m.f32(plain_bias)[c] : 0.0f, m.f32(mean)[c],
                                 m.f32(beta)[c]);
      for (int64_t i = c * each; i < (c + 1) * each; i++) {
        m.f32(weight)[i] = static_cast<float>(m.f32(plain_weight)[i] * factor);
      }
    }
    convolution.transform_weight(m.f32(weight), m.data(transformed), m.scratch());
    version = now;
  }
};

// What arrives at a convolution's backward: a gradient, and what says how far it must be undone.
struct Arriving {
  View gradient, sign, positions;

  Arriving(Lowering &l, const Operation &o, Layout layout)
      : gradient(l.read(o.inputs[0], layout)),
        sign(l.read(o.inputs[2], layout)),
        positions(l.read(o.inputs[3])) {}

  ConvolutionArguments arguments(const ProgramMemory &m) const {
    ConvolutionArguments a;
    a.d_output = m.f32(gradient);
    a.d_output_sign = m.f32(sign);
    a.d_argmax = m.u8(positions);
    a.scratch = m.scratch();
    return a;
  }
};

}  // namespace

void lower(Lowering &l, const Operation &o, const Conv2d &conv2d) {
  const ConvolutionRequest request = l.convolutions().request(l.fused(), o, Direction::forward);
  const auto convolution = l.convolutions().choose(l.fused(), o, Direction::forward);
  const auto weight = std::make_shared<Weight>();
  std::shared_ptr<Folded> folded;
  View bias;
  if (conv2d.fold) {
    folded = std::make_shared<Folded>(l, o);
    bias = folded->bias;
  } else {
    weight->plain = l.read_plain(o.inputs[1]);
    weight->source = l.storage(o.inputs[1]);
    bias = l.read_plain(o.inputs[2]);
  }
  const View input = l.read(o.inputs[0], request.input);
  const Operand summand = conv2d.adds ? o.inputs.back() : Operand{};
  const View added = l.read(summand, request.output);
  Step &step = l.begin(o);
  step.algorithm = convolution->algorithm();
  if (conv2d.fold) step.algorithm += ", batch norm folded";
  if (conv2d.adds) step.algorithm += ", sum";
  step.flops = request.shape.flops();
  weight->transformed = l.forever(convolution->weight_bytes());
  l.scratch(convolution->scratch_bytes());
  View output, pooled, positions;
  if (conv2d.pools) {
    pooled = l.write(o.outputs[1]);
    if (o.outputs[2] != no_value) {
      positions = l.write(o.outputs[2]);
    } else if (request.keep_argmax) {
      positions = l.temporary(static_cast<size_t>(l.map_shape(o.outputs[1]).elements()));
    }
  } else if (conv2d.adds && summand.value != o.inputs[0].value) {
    output = l.write_over(o.outputs[0], summand);
  } else {
    output = l.write(o.outputs[0]);
  }
  const MapShape made = l.map_shape(o.outputs[0]);
  const Activation after = convolution->fuses_activation() ? Activation{} : request.activation;
  l.run([=, &m = l.memory()] {
    if (folded) {
      folded->update(m, *convolution, weight->transformed);
    } else {
      weight->update(m, *convolution);
    }
    ConvolutionArguments a;
    a.input = m.f32(input);
    a.weight = m.data(weight->transformed);
    a.bias = m.f32(bias);
    a.output = m.f32(output);
    a.pooled = m.f32(pooled);
    a.argmax = m.u8(positions);
    a.scratch = m.scratch();
    if (added && m.f32(added) != m.f32(output)) {
      kernels().copy_channels(made, 0, made, 0, made.channels, m.f32(added), m.f32(output));
    }
    convolution->run(a);
    if (!after.is_identity()) {
      kernels().activation(after.kind, after.a, after.b, m.f32(output), m.f32(output),
                           made.elements());
    }
  });
}

void lower(Lowering &l, const Operation &o, const Conv2dBackwardFilter &conv2d) {
  const Operation &forward = *l.fused().maker(conv2d.output);
  const Direction direction = Direction::backward_filter;
  const ConvolutionRequest request = l.convolutions().request(l.fused(), forward, direction);
  const auto convolution = l.convolutions().choose(l.fused(), forward, direction);
  const Arriving arriving(l, o, request.output);
  const View input = l.read(o.inputs[1], request.input);
  Step &step = l.begin(o);
  step.algorithm = convolution->algorithm();
  step.flops = request.shape.flops();
  l.scratch(convolution->scratch_bytes());
  // Both are computed where one is wanted; the other goes to a buffer of its own.
  const auto write = [&](size_t i) {
    const auto bytes =
        static_cast<size_t>(element_count(l.shape(forward.inputs[i + 1].value))) * sizeof(float);
    return l.write(o.outputs[i], bytes);
  };
  const View d_weight = write(0), d_bias = conv2d.bias ? write(1) : View{};
  l.run([=, &m = l.memory()] {
    ConvolutionArguments a = arriving.arguments(m);
    a.input = m.f32(input);
    a.d_weight = m.f32(d_weight);
    a.d_bias = m.f32(d_bias);
    convolution->run(a);
  });
}

void lower(Lowering &l, const Operation &o, const Conv2dBackwardData &conv2d) {
  const Operation &forward = *l.fused().maker(conv2d.output);
  const Direction direction = Direction::backward_data;
  const ConvolutionRequest request = l.convolutions().request(l.fused(), forward, direction);
  const auto convolution = l.convolutions().choose(l.fused(), forward, direction);
  const Arriving arriving(l, o, request.output);
  const auto weight = std::make_shared<Weight>();
  weight->plain = l.read_plain(o.inputs[1]);
  weight->source = l.storage(o.inputs[1]);
  Step &step = l.begin(o);
  step.algorithm = convolution->algorithm();
  step.flops = request.shape.flops();
  l.scratch(convolution->scratch_bytes());
  weight->transformed = l.forever(convolution->weight_bytes());
  const View d_input = l.write(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    weight->update(m, *convolution);
    ConvolutionArguments a = arriving.arguments(m);
    a.weight = m.data(weight->transformed);
    a.d_input = m.f32(d_input);
    convolution->run(a);
  });
}

}  // namespace gapcam::cpu
