#include <algorithm>
#include <vector>

#include "../lowering.h"
#include "communication/communicator.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const AllReduce &reduce) {
  struct Part {
    View view;
    CpuStorage *storage;  // of a tensor of the device
    int64_t count;
    bool mean;
  };
  std::vector<Part> parts;
  int64_t total = 0;
  for (const Operand &input : o.inputs) {
    // In place, so as it lies, which is the host's order.
    if (l.layout(input.value) != Layout{}) {
      throw Error(GAPCAM_INTERNAL, "A gradient to be summed does not lie in the host's order");
    }
    const int64_t count = element_count(l.shape(input.value));
    parts.push_back({l.read(input), l.storage(input), count, parts.size() >= reduce.sums});
    total += count;
  }
  Step &step = l.begin(o);
  const auto communicator = l.fused().graph.communicator;
  step.name = format("all_reduce of %zu tensors over %d ranks", parts.size(), communicator->size());
  step.algorithm = l.fused().graph.fast_sum ? "the library's" : "in the order of ranks";
  const auto bucket = std::make_shared<std::vector<float>>();
  bucket->reserve(static_cast<size_t>(total + communicator->size()));
  bucket->resize(static_cast<size_t>(total));
  l.run([=, fast = l.fused().graph.fast_sum, parts = std::move(parts), &m = l.memory()] {
    float *at = bucket->data();
    for (const Part &part : parts) at = std::copy_n(m.f32(part.view), part.count, at);
    communicator->sum(bucket, fast);
    const float mean = 1.0f / static_cast<float>(communicator->size());
    at = bucket->data();
    for (const Part &part : parts) {
      float *to = m.f32(part.view);
      if (part.mean) {
        std::transform(at, at + part.count, to, [=](float sum) { return sum * mean; });
      } else {
        std::copy_n(at, part.count, to);
      }
      if (part.storage) part.storage->changed();
      at += part.count;
    }
  });
}

}  // namespace gapcam::cpu
