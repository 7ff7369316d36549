#include "../lowering.h"

namespace gapcam::cuda {

namespace {

// Channels of a map into another.
struct Part {
  View from, to;
  int64_t positions, from_stored, first_from, to_stored, first_to, count, filled;

  // `filled`: how many channels are written, those beyond `count` as 0.
  Part(const Lowering &l, ValueId source, int64_t first_source, ValueId target,
       int64_t first_target, int64_t channels)
      : positions(l.shape(source)[0] * l.pixels(source)),
        from_stored(l.stored_channels(source)),
        first_from(first_source),
        to_stored(l.stored_channels(target)),
        first_to(first_target),
        count(channels),
        filled(first_target + channels == l.shape(target)[1] ? to_stored - first_target
                                                             : channels) {}

  void copy(const Gpu &gpu, const Addresses &address, bool bf16) const {
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, positions * filled, address(from), address(to), positions,
                      from_stored, first_from, to_stored, first_to, count, filled);
    };
    bf16 ? run(gpu.kernels().copy_channels_bf16) : run(gpu.kernels().copy_channels_f32);
  }
};

}  // namespace

void lower(Lowering &l, const Operation &o, const Concatenate &) {
  const ValueId made = o.outputs[0];
  std::vector<Part> parts;
  int64_t first = 0;
  for (const Operand &input : o.inputs) {
    const int64_t channels = l.shape(input.value)[1];
    parts.emplace_back(l, input.value, 0, made, first, channels);
    parts.back().from = l.read_map(input);
    first += channels;
  }
  l.begin(o);
  const View output = l.write(made);
  for (Part &part : parts) part.to = output;
  l.run(
      [=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
        for (const Part &part : parts) part.copy(gpu, address, bf16);
      },
      static_cast<int>(parts.size()));
}

void lower(Lowering &l, const Operation &o, const Slice &slice) {
  const ValueId made = o.outputs[0];
  Part part(l, o.inputs[0].value, slice.first, made, 0, l.shape(made)[1]);
  part.from = l.read_map(o.inputs[0]);
  l.begin(o);
  part.to = l.write(made);
  l.run([=, address = l.addresses(), bf16 = l.bf16()](const Gpu &gpu) {
    part.copy(gpu, address, bf16);
  });
}

}  // namespace gapcam::cuda
