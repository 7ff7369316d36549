#include "../lowering.h"
#include "../sync_norm.h"

namespace gapcam::cpu {

namespace {

NormShape norm_shape(const Lowering &l, ValueId input, const Norm &norm) {
  return {l.map_shape(input), norm.epsilon,      norm.momentum, norm.activation.kind,
          norm.activation.a,  norm.activation.b, l.training()};
}

// What exchanges the statistics of ranks; null where each takes its own.
std::shared_ptr<SyncNorm> sync_norm(const Lowering &l, NormShape &norm) {
  const Graph &graph = l.fused().graph;
  if (!graph.sync_norm || !norm.training) return nullptr;
  const auto made = std::make_shared<SyncNorm>(graph.communicator);
  norm.exchange = made->exchange();
  return made;
}

}  // namespace

void lower(Lowering &l, const Operation &o, const BatchNorm2d &attributes) {
  NormShape norm = norm_shape(l, o.inputs[0].value, attributes);
  const auto sync = sync_norm(l, norm);
  CpuStorage *mean = l.storage(o.inputs[3]), *variance = l.storage(o.inputs[4]);
  const View input = l.read(o.inputs[0]), weight = l.read_plain(o.inputs[1]),
             bias = l.read_plain(o.inputs[2]);
  const Operand summand = attributes.adds ? o.inputs.back() : Operand{};
  const View added = l.read(summand, l.layout(o.outputs[0]));
  l.begin(o);
  const View output = summand ? l.write_over(o.outputs[0], summand) : l.write(o.outputs[0]);
  const View saved = l.write(o.outputs[1], norm_saved(norm.map) * sizeof(float));
  l.scratch(norm_scratch(norm.map) * sizeof(double));
  // Which holds what the exchange works with.
  l.run([=, held = sync, &m = l.memory()] {
    kernels().batch_norm(norm, m.f32(input), m.f32(weight), m.f32(bias), mean->f32(),
                         variance->f32(), m.f32(added), m.f32(output), m.f32(saved),
                         static_cast<double *>(m.scratch()));
    if (norm.training) {
      mean->changed();
      variance->changed();
    }
  });
}

void lower(Lowering &l, const Operation &o, const BatchNorm2dBackward &attributes) {
  NormShape norm = norm_shape(l, o.inputs[1].value, attributes);
  const auto sync = sync_norm(l, norm);
  const View d_output = l.read(o.inputs[0], l.layout(o.inputs[1].value)),
             input = l.read(o.inputs[1]), weight = l.read_plain(o.inputs[2]),
             bias = l.read_plain(o.inputs[3]), saved = l.read(o.inputs[4]);
  l.begin(o);
  l.scratch(norm_scratch(norm.map) * sizeof(double));
  const View d_input = l.write_over(o.outputs[0], o.inputs[0]), d_weight = l.write(o.outputs[1]),
             d_bias = l.write(o.outputs[2]);
  l.run([=, held = sync, &m = l.memory()] {
    kernels().batch_norm_backward(norm, m.f32(input), m.f32(weight), m.f32(bias), m.f32(saved),
                                  m.f32(d_output), m.f32(d_input), m.f32(d_weight), m.f32(d_bias),
                                  static_cast<double *>(m.scratch()));
  });
}

}  // namespace gapcam::cpu
