#include "../lowering.h"
#include "ranks.h"

namespace gapcam::cuda {

namespace {

NormShape norm_shape(const Lowering &l, ValueId map, const Norm &attributes) {
  NormShape norm{};
  norm.positions = l.shape(map)[0] * l.pixels(map);
  norm.channels = static_cast<int>(l.shape(map)[1]);
  norm.stored_channels = static_cast<int>(l.stored_channels(map));
  norm.epsilon = attributes.epsilon;
  norm.momentum = attributes.momentum;
  norm.activation = attributes.activation.kind;
  norm.a = attributes.activation.a;
  norm.b = attributes.activation.b;
  norm.training = l.training();
  return norm;
}

// Two numbers a channel.
size_t pair_bytes(const NormShape &norm) {
  return static_cast<size_t>(2 * norm.stored_channels) * sizeof(float);
}

// How statistics become those of all ranks; without ranks each takes its own.
struct RankSums {
  const NcclCommunicator *ranks = nullptr;
  size_t bytes = 0;  // a rank's
  View own, all;

  RankSums(Lowering &l, const NormShape &norm) {
    const Graph &graph = l.fused().graph;
    if (!graph.sync_norm || !norm.training) return;
    ranks = &joined(graph);
    bytes = static_cast<size_t>(2 * norm.stored_channels + 1) * sizeof(double);
    own = l.temporary(bytes);
    all = l.temporary(bytes * static_cast<size_t>(ranks->size()));
  }
  int launches() const { return ranks ? 2 : 0; }
  template <class Address>
  void gather(const Address &address) const {
    ranks->gather(address(own), address(all), bytes);
  }
};

}  // namespace

void lower(Lowering &l, const Operation &o, const BatchNorm2d &attributes) {
  const NormShape norm = norm_shape(l, o.inputs[0].value, attributes);
  const View input = l.read_map(o.inputs[0]), weight = l.read(o.inputs[1]),
             bias = l.read(o.inputs[2]), mean = l.read(o.inputs[3]), variance = l.read(o.inputs[4]);
  const Operand summand = attributes.adds ? o.inputs.back() : Operand{};
  const View added = l.read_map(summand);
  l.begin(o);
  const View output = summand ? l.write_over(o.outputs[0], summand) : l.write(o.outputs[0]);
  const View saved = l.write(o.outputs[1], pair_bytes(norm));
  const SumShape sum = l.sum_shape(norm.positions, norm.stored_channels, 2);
  const View partial = l.temporary(sum.partial_bytes);
  const RankSums whole(l, norm);
  if (norm.training) {
    for (const size_t i : {3, 4}) l.changes(GAPCAM_FORWARD, l.storage(o.inputs[i]));
  }
  if (norm.training) l.pass_again(input);
  l.run(
      [=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
        const Kernels &k = gpu.kernels();
        const auto apply = [&](const auto &sum_moments, const auto &normalise) {
          if (norm.training) {
            gpu.launch(sum_moments, sum.blocks, sum.slices, address(input), address(partial),
                       norm.positions, norm.stored_channels, sum.columns);
            if (whole.ranks) {
              gpu.launch(k.norm_rank_statistics, sum.finish_blocks, 1, address(partial),
                         address(whole.own), sum.slices, sum.columns, norm);
              whole.gather(address);
              gpu.launch_over(k.norm_whole_batch, norm.stored_channels, address(whole.all),
                              address(saved), address(mean), address(variance), whole.ranks->size(),
                              norm);
            } else {
              gpu.launch(k.norm_statistics, sum.finish_blocks, 1, address(partial), address(saved),
                         address(mean), address(variance), sum.slices, sum.columns, norm);
            }
          } else {
            gpu.launch_over(k.norm_running, norm.stored_channels, address(mean), address(variance),
                            address(saved), norm);
          }
          gpu.launch(normalise, sum.blocks, sum.map_slices, address(input), address(added),
                     address(output), address(weight), address(bias), address(saved), norm,
                     sum.columns);
        };
        bf16 ? apply(k.sum_moments_bf16, k.norm_bf16) : apply(k.sum_moments_f32, k.norm_f32);
      },
      (norm.training ? 3 : 2) + whole.launches());
}

void lower(Lowering &l, const Operation &o, const BatchNorm2dBackward &attributes) {
  const NormShape norm = norm_shape(l, o.inputs[1].value, attributes);
  const SumShape sum = l.sum_shape(norm.positions, norm.stored_channels, 2);
  const View d_output = l.read_map(o.inputs[0]), input = l.read_map(o.inputs[1]),
             weight = l.read(o.inputs[2]), bias = l.read(o.inputs[3]), saved = l.read(o.inputs[4]);
  l.begin(o);
  const View partial = l.temporary(sum.partial_bytes), sums = l.temporary(pair_bytes(norm));
  const RankSums whole(l, norm);
  const View d_input = l.write_over(o.outputs[0], o.inputs[0]), d_weight = l.write(o.outputs[1]),
             d_bias = l.write(o.outputs[2]);
  if (o.outputs[0] != no_value) {
    l.pass_again(input);
    l.pass_again(d_output);
  }
  l.run(
      [=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
        const Kernels &k = gpu.kernels();
        const auto run = [&](const auto &sum_gradients, const auto &backward) {
          gpu.launch(sum_gradients, sum.blocks, sum.slices, address(input), address(d_output),
                     address(weight), address(bias), address(saved), address(partial), norm,
                     sum.columns);
          if (whole.ranks) {
            gpu.launch(k.norm_rank_gradients, sum.finish_blocks, 1, address(partial),
                       address(saved), address(whole.own), address(d_weight), address(d_bias),
                       sum.slices, norm);
            whole.gather(address);
            gpu.launch_over(k.norm_whole_gradients, norm.stored_channels, address(whole.all),
                            address(saved), address(sums), whole.ranks->size(), norm);
          } else {
            gpu.launch(k.norm_gradients, sum.finish_blocks, 1, address(partial), address(saved),
                       address(sums), address(d_weight), address(d_bias), sum.slices, norm);
          }
          if (!d_input) return;
          gpu.launch(backward, sum.blocks, sum.map_slices, address(input), address(d_output),
                     address(d_input), address(weight), address(bias), address(saved),
                     address(sums), norm, sum.columns);
        };
        bf16 ? run(k.sum_norm_gradients_bf16, k.norm_backward_bf16)
             : run(k.sum_norm_gradients_f32, k.norm_backward_f32);
      },
      (o.outputs[0] == no_value ? 2 : 3) + whole.launches());
}

}  // namespace gapcam::cuda
