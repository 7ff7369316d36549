#include "lowering.h"

#include <algorithm>
#include <cstring>

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

std::vector<Layout> layouts_of(const FusedGraph &fused) {
  const Graph &graph = fused.graph;
  std::vector<Layout> layouts(graph.values.size());
  const Layout preferred = preferred_layout();
  for (const Operation &o : graph.operations) {
    for (const ValueId made : o.outputs) {
      if (made == no_value) continue;
      const Shape &shape = graph.shape(made);
      Layout &layout = layouts[at(made)];
      if (graph.value(made).like != no_value) {
        layout = layouts[at(graph.value(made).like)];
      } else if (shape.size() == 4) {
        const bool from_elsewhere = o.as<PrepareImages>() || o.as<Reshape>();
        const bool fills = o.as<Conv2d>() || (from_elsewhere && shape[1] > few_channels);
        if (fills) layout = preferred;
        // Of several maps, in blocks if one is: a convolution follows that takes blocks. Planes
        // that are resampled are whole.
        for (const Operand &input : o.inputs) {
          if (fills || o.as<Resample>() || !input || input.role != Role::map) continue;
          layout.block = std::max(layout.block, layouts[at(input.value)].block);
        }
      }
    }
  }
  return layouts;
}

Lowering::Lowering(const Graph &graph, ProgramMemory &memory, int threads, bool bf16)
    : Lowering(graph, memory, std::make_unique<Convolutions>(threads, bf16)) {}

Lowering::Lowering(const Graph &graph, ProgramMemory &memory,
                   std::unique_ptr<Convolutions> convolutions)
    : GraphLowering(fuse(graph, convolutions->patterns()), memory.schedule),
      memory_(memory),
      convolutions_(std::move(convolutions)),
      layouts_(layouts_of(fused())) {
  place_parts();
  lower_each([&](const Operation &o, const auto &attributes) { lower(*this, o, attributes); });
}

MapShape Lowering::map_shape(ValueId value) const {
  const Shape &s = shape(value);
  if (s.size() == 4) return {s[0], s[1], s[2], s[3], layout(value).block};
  return {1, 1, 1, element_count(s), 1};
}

PoolShape Lowering::pool_shape(const Window2d &window, ValueId input, ValueId output) const {
  PoolShape pool;
  static_cast<Window2d &>(pool) = window;
  pool.input = map_shape(input);
  pool.output_height = shape(output)[2];
  pool.output_width = shape(output)[3];
  return pool;
}

View Lowering::read(const Operand &operand, Layout wanted) {
  if (!operand || shape(operand.value).size() != 4 || layout(operand.value) == wanted) {
    return read(operand);
  }
  const MapShape from = map_shape(operand.value);
  const auto bytes =
      static_cast<size_t>(map_elements(shape(operand.value), wanted)) * sizeof(float);
  return converted(operand, wanted.block, bytes, "reorder",
                   [&](const View &source, const View &made) {
                     memory_.schedule.current().algorithm = kernels().name;
                     run([=, &m = memory_] {
                       kernels().reorder(from, wanted.block, m.f32(source), m.f32(made));
                     });
                   });
}

CpuStorage *Lowering::storage(const Operand &operand) const {
  return operand ? static_cast<CpuStorage *>(fused().graph.value(operand.value).storage.get())
                 : nullptr;
}

Step &Lowering::begin(const Operation &o, const std::string &operation) {
  std::string name = operation;
  if (o.phase != GAPCAM_UPDATE && !o.as<OutputGradient>() && !o.outputs.empty()) {
    ValueId made = no_value;
    for (const ValueId output : o.outputs) made = made == no_value ? output : made;
    name = format("%s %d %s -> %s", operation.c_str(), o.index,
                  to_string(shape(o.inputs[0].value)).c_str(), to_string(shape(made)).c_str());
  }
  Step &step = begin_step(operation, name);
  step.algorithm = kernels().name;
  return step;
}

size_t Lowering::bytes_of(ValueId value) const {
  return static_cast<size_t>(map_elements(shape(value), layout(value))) *
         static_cast<size_t>(size_of(fused().graph.value(value).type));
}

View Lowering::write(ValueId value) {
  return value == no_value ? View{} : write(value, bytes_of(value));
}

View Lowering::write_over(ValueId value, const Operand &operand) {
  if (value == no_value) return {};
  const View made = layout(value) == layout(operand.value) ? overwrite(value, operand) : View{};
  return made ? made : write(value);
}

}  // namespace gapcam::cpu
