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
        // Of several maps, in blocks if one is: a convolution follows that takes blocks.
        for (const Operand &input : o.inputs) {
          if (fills || !input || input.role != Role::map) continue;
          layout.block = std::max(layout.block, layouts[at(input.value)].block);
        }
      }
    }
  }
  return layouts;
}

Lowering::Lowering(const Graph &graph, ProgramMemory &memory, int threads, bool bf16)
    : memory_(memory), convolutions_(threads, bf16) {
  fused_ = fuse(graph, convolutions_.patterns());
  layouts_ = layouts_of(fused_);
  views_.resize(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); i++) {
    views_[i].storage = graph.values[i].storage.get();
  }
  for (const Operation &operation : fused_.graph.operations) {
    begun_ = false;
    std::visit([&](const auto &attributes) { lower(*this, operation, attributes); },
               operation.attributes);
    current_++;
  }
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

View Lowering::use(const View &view) {
  if (begun_) {
    memory_.schedule.use(view);
  } else if (view) {
    pending_.push_back(view);
  }
  return view;
}

View Lowering::read(const Operand &operand) {
  if (!operand) return {};
  const View &view = views_[at(operand.value)];
  if (!view) throw Error(GAPCAM_INTERNAL, "A value is read before it is made");
  return use(view);
}

View Lowering::read(const Operand &operand, Layout wanted) {
  if (!operand || shape(operand.value).size() != 4 || layout(operand.value) == wanted) {
    return read(operand);
  }
  View &view = reordered_[{operand.value, wanted.block}];
  if (!view) {
    const Operation &reader = fused_.graph.operations[static_cast<size_t>(current_)];
    const MapShape from = map_shape(operand.value);
    view = memory_.schedule.make(static_cast<size_t>(map_elements(shape(operand.value), wanted)) *
                                 sizeof(float));
    const View source = views_[at(operand.value)], made = view;
    memory_.schedule.begin(reader.phase, "reorder", "reorder " + to_string(shape(operand.value)));
    memory_.schedule.current().algorithm = kernels().name;
    memory_.schedule.use(source);
    memory_.schedule.use(made);
    run([=, &m = memory_] { kernels().reorder(from, wanted.block, m.f32(source), m.f32(made)); });
  }
  return use(view);
}

CpuStorage *Lowering::storage(const Operand &operand) const {
  return operand ? static_cast<CpuStorage *>(fused_.graph.value(operand.value).storage.get())
                 : nullptr;
}

Step &Lowering::begin(const Operation &o, const std::string &operation) {
  std::string name = operation;
  if (o.phase != GAPCAM_UPDATE && !o.as<OutputGradient>()) {
    ValueId made = no_value;
    for (const ValueId output : o.outputs) made = made == no_value ? output : made;
    name = format("%s %d %s -> %s", operation.c_str(), o.index,
                  to_string(shape(o.inputs[0].value)).c_str(), to_string(shape(made)).c_str());
  }
  Step &step = memory_.schedule.begin(o.phase, operation, name);
  step.algorithm = kernels().name;
  for (const View &view : pending_) memory_.schedule.use(view);
  pending_.clear();
  begun_ = true;
  return step;
}

View Lowering::write(ValueId value) {
  if (value == no_value) return {};
  return write(value, static_cast<size_t>(map_elements(shape(value), layout(value))) *
                          static_cast<size_t>(size_of(fused_.graph.value(value).type)));
}

View Lowering::write(ValueId value, size_t bytes) {
  if (value == no_value) return temporary(bytes);
  View &view = views_[at(value)];
  view = memory_.schedule.make(bytes);
  if (fused_.kept(value)) memory_.schedule.keep(view);
  return use(view);
}

View Lowering::write_over(ValueId value, const Operand &operand) {
  if (value == no_value) return {};
  const View from = views_[at(operand.value)];
  const Operation *maker = fused_.maker(operand.value);
  // What an earlier phase made is still there when this one runs again.
  const bool free = from.buffer >= 0 && maker && !fused_.kept(operand.value) &&
                    fused_.last_reader[at(operand.value)] == current_ &&
                    maker->phase == fused_.graph.operations[static_cast<size_t>(current_)].phase &&
                    layout(value) == layout(operand.value);
  if (!free) return write(value);
  views_[at(value)] = from;
  if (fused_.kept(value)) memory_.schedule.keep(from);
  return use(from);
}

View Lowering::temporary(size_t bytes) { return use(memory_.schedule.make(bytes)); }

View Lowering::forever(size_t bytes) { return use(memory_.schedule.make_forever(bytes)); }

}  // namespace gapcam::cpu
