#include "../lowering.h"
#include "resize_coefficients.h"

namespace gapcam::cuda {

namespace {

template <class T>
std::string bytes_of(const std::vector<T> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T)};
}

// One direction of a resize, and where the parts of its table lie.
struct Direction {
  ResizeTable table{};
  View first, count, weights;

  Direction(Lowering &l, int64_t input, int64_t output) {
    table.input = static_cast<int>(input);
    table.output = static_cast<int>(output);
    if (input == output) return;
    const ResizeCoefficients values(input, output);
    table.taps = static_cast<int>(values.taps);
    const auto constant = [&](const std::vector<int32_t> &list) {
      return l.constant(list.size() * sizeof(int32_t), [=] { return bytes_of(list); });
    };
    first = constant(values.first);
    count = constant(values.count);
    weights = constant(values.weights);
  }

  ResizeTable resolve(const Addresses &address) const {
    ResizeTable resolved = table;
    resolved.first = reinterpret_cast<const int *>(address(first));
    resolved.count = reinterpret_cast<const int *>(address(count));
    resolved.weights = reinterpret_cast<const int *>(address(weights));
    return resolved;
  }
};

}  // namespace

void lower(Lowering &l, const Operation &o, const PrepareImages &prepare) {
  const Shape from = l.shape(o.inputs[0].value), to = l.shape(o.outputs[0]);
  const int64_t batch = from[0], channels = from[3];
  const std::vector<float> levels = normalised_levels(prepare.mean, prepare.deviation);
  const View table = l.constant(levels.size() * sizeof(float), [=] { return bytes_of(levels); });
  const Direction rows(l, from[1], to[2]), columns(l, from[2], to[3]);
  const View images = l.read(o.inputs[0]);
  l.begin(o);
  const View output = l.write(o.outputs[0]);
  View narrowed;
  if (columns.first) {
    narrowed = l.temporary(static_cast<size_t>(batch * from[1] * to[3] * channels));
  }
  l.run(
      [=, address = l.addresses(), bf16 = l.bf16(),
       all_channels = l.stored_channels(o.outputs[0])](const Gpu &gpu) {
        driver::Pointer source = address(images);
        if (narrowed) {
          gpu.launch_over(gpu.kernels().resize_columns, batch * from[1] * to[3] * channels, source,
                          address(narrowed), batch * from[1], channels, columns.resolve(address));
          source = address(narrowed);
        }
        const int64_t count = batch * to[2] * to[3];
        const auto run = [&](const auto &kernel) {
          gpu.launch_over(kernel, count, source, address(table), address(output), batch, to[3],
                          channels, all_channels, rows.resolve(address));
        };
        bf16 ? run(gpu.kernels().prepare_images_bf16) : run(gpu.kernels().prepare_images_f32);
      },
      narrowed ? 2 : 1);
}

}  // namespace gapcam::cuda
