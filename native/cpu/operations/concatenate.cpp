#include "../lowering.h"

namespace gapcam::cpu {

// The channels of one image lie one after the other, so a part may be made where it goes. A network
// that concatenates the same first maps again and again (DenseNet) has them in one place: what
// comes last is the whole of which earlier ones are the first part.
void Lowering::place_parts() {
  const Graph &graph = fused().graph;
  constexpr size_t alignment = 64;
  for (auto o = graph.operations.rbegin(); o != graph.operations.rend(); ++o) {
    const ValueId made = o->outputs.empty() ? no_value : o->outputs[0];
    if (!o->as<Concatenate>() || shape(made)[0] != 1) continue;
    const int64_t block = layout(made).block;
    const size_t channel_bytes =
        static_cast<size_t>(shape(made)[2] * shape(made)[3]) * sizeof(float);

    // Where the parts lie already, if they do so one after the other and fill their blocks.
    Place before = place_of(o->inputs[0].value);
    size_t next = before.offset;
    for (const Operand &input : o->inputs) {
      const Place place = place_of(input.value);
      if (place.whole != before.whole || place.offset != next || shape(input.value)[1] % block) {
        before = {};
      }
      next += static_cast<size_t>(shape(input.value)[1]) * channel_bytes;
    }
    if (before.whole != no_value) {
      if (!shares_memory(made)) {
        make_within(made, before.offset, before.whole, bytes_of(before.whole));
      }
      continue;
    }

    const Place own = place_of(made);
    const ValueId whole = own.whole == no_value ? made : own.whole;
    int64_t first = 0;
    for (const Operand &input : o->inputs) {
      const ValueId part = input.value;
      const int64_t channels = shape(part)[1];
      const size_t offset = own.offset + static_cast<size_t>(first) * channel_bytes;
      const bool last = first + channels == shape(made)[1];
      first += channels;
      const bool fits = layout(part) == layout(made) && offset % alignment == 0 &&
                        (first - channels) % block == 0 && (last || channels % block == 0);
      if (fits && fused().maker(part) && !shares_memory(part)) {
        make_within(part, offset, whole, bytes_of(whole));
      }
    }
  }
}

bool Lowering::is_in_place(ValueId part, size_t offset, ValueId whole) const {
  const Place own = place_of(whole), place = place_of(part);
  return place.whole != no_value && place.whole == (own.whole == no_value ? whole : own.whole) &&
         place.offset == own.offset + offset;
}

void lower(Lowering &l, const Operation &o, const Concatenate &) {
  struct Part {
    View view;
    MapShape shape;
    int64_t first;
  };
  std::vector<Part> parts;
  int64_t first = 0;
  for (const Operand &input : o.inputs) {
    const MapShape part = l.map_shape(input.value);
    const View view = l.read(input);
    const auto offset = static_cast<size_t>(first * part.height * part.width) * sizeof(float);
    if (!l.is_in_place(input.value, offset, o.outputs[0])) parts.push_back({view, part, first});
    first += part.channels;
  }
  Step &step = l.begin(o);
  if (parts.empty()) step.algorithm = "in place";
  const View output = l.write(o.outputs[0]);
  const MapShape to = l.map_shape(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    for (const Part &part : parts) {
      kernels().copy_channels(part.shape, 0, to, part.first, part.shape.channels, m.f32(part.view),
                              m.f32(output));
    }
  });
}

}  // namespace gapcam::cpu
