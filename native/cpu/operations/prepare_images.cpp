#include "../lowering.h"
#include "resize_coefficients.h"

namespace gapcam::cpu {

namespace {

ResizeTable table_of(const ResizeCoefficients &c) {
  return {c.first.data(), c.count.data(), c.weights.data(), c.taps, c.input, c.output};
}

}  // namespace

void lower(Lowering &l, const Operation &o, const PrepareImages &prepare) {
  const Shape &from = l.shape(o.inputs[0].value), &to = l.shape(o.outputs[0]);
  const auto rows = std::make_shared<ResizeCoefficients>(from[1], to[2]);
  const auto columns = std::make_shared<ResizeCoefficients>(from[2], to[3]);
  const auto levels =
      std::make_shared<std::vector<float>>(normalised_levels(prepare.mean, prepare.deviation));
  const PrepareShape shape{
      from[0],       from[3], table_of(*rows), table_of(*columns), l.layout(o.outputs[0]).block,
      levels->data()};
  const View images = l.read(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  l.scratch(prepare_scratch(shape));
  l.run([=, &m = l.memory()] {
    (void)rows, (void)columns, (void)levels;  // kept alive
    kernels().prepare_images(shape, m.u8(images), m.f32(output),
                             static_cast<uint8_t *>(m.scratch()));
  });
}

}  // namespace gapcam::cpu
