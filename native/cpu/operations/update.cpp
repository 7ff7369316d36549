#include <algorithm>

#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Update &update) {
  struct Parameter {
    CpuStorage *value, *first, *second;
    View gradient;
    int64_t count;
  };
  const bool adam = update.kind == Optimiser::adam;
  std::vector<Parameter> parameters;
  int64_t chunk_count = 0;
  double elements = 0;
  for (size_t i = 1; i < o.inputs.size(); i += update.operands_each()) {
    Parameter p;
    p.value = l.storage(o.inputs[i]);
    p.gradient = l.read_plain(o.inputs[i + 1]);
    p.first = l.storage(o.inputs[i + 2]);
    p.second = adam ? l.storage(o.inputs[i + 3]) : nullptr;
    p.count = element_count(l.shape(o.inputs[i].value));
    chunk_count += (p.count + update_chunk - 1) / update_chunk;
    elements += static_cast<double>(p.count);
    parameters.push_back(p);
  }
  Step &step = l.begin(o);
  step.name = format("%s over %zu parameters", step.operation.c_str(), parameters.size());
  step.bytes = elements * sizeof(float) * (adam ? 7 : 5);
  const CpuStorage *settings = l.storage(o.inputs[0]);
  const auto chunks = std::make_shared<std::vector<UpdateChunk>>(static_cast<size_t>(chunk_count));
  l.run([=, parameters = std::move(parameters), &m = l.memory()] {
    size_t filled = 0;
    for (const Parameter &p : parameters) {
      for (int64_t start = 0; start < p.count; start += update_chunk) {
        UpdateChunk &chunk = (*chunks)[filled++];
        chunk.parameter = p.value->f32() + start;
        chunk.first = p.first->f32() + start;
        chunk.second = p.second ? p.second->f32() + start : nullptr;
        chunk.gradient = m.f32(p.gradient) + start;
        chunk.count = std::min(update_chunk, p.count - start);
      }
    }
    (adam ? kernels().adam : kernels().sgd)(chunks->data(), static_cast<int64_t>(chunks->size()),
                                            settings->f32());
    for (const Parameter &p : parameters) {
      p.value->changed();
      p.first->changed();
      if (p.second) p.second->changed();
    }
  });
}

}  // namespace gapcam::cpu
