#include <algorithm>

#include "../lowering.h"

namespace gapcam::cuda {

void lower(Lowering &l, const Operation &o, const Update &update) {
  struct Parameter {
    CudaStorage *value, *first, *second;
    View gradient;
    int64_t count;
  };
  const bool adam = update.kind == Optimiser::adam;
  std::vector<Parameter> parameters;
  int64_t chunk_count = 0, elements = 0;
  for (size_t i = 1; i < o.inputs.size(); i += update.operands_each()) {
    Parameter p{};
    p.value = l.storage(o.inputs[i]);
    p.gradient = l.read_plain(o.inputs[i + 1]);
    p.first = l.storage(o.inputs[i + 2]);
    if (adam) p.second = l.storage(o.inputs[i + 3]);
    p.count = element_count(l.shape(o.inputs[i].value));
    chunk_count += (p.count + update_chunk - 1) / update_chunk;
    elements += p.count;
    parameters.push_back(p);
    for (CudaStorage *changed : {p.value, p.first, p.second}) l.changes(GAPCAM_UPDATE, changed);
  }
  Step &step = l.begin(o, name_of(o), no_value);
  step.name = format("%s over %zu parameters", step.operation.c_str(), parameters.size());
  step.bytes = static_cast<double>(elements) * sizeof(float) * (adam ? 7 : 5);
  const View list =
      l.constant(static_cast<size_t>(chunk_count) * sizeof(UpdateChunk),
                 [parameters, address = l.addresses()] {
                   std::string content;
                   for (const Parameter &p : parameters) {
                     const auto from = [](driver::Pointer base, int64_t start) {
                       return base ? reinterpret_cast<float *>(base) + start : nullptr;
                     };
                     for (int64_t start = 0; start < p.count; start += update_chunk) {
                       UpdateChunk chunk{};
                       chunk.parameter = from(p.value->address(), start);
                       chunk.first = from(p.first->address(), start);
                       chunk.second = p.second ? from(p.second->address(), start) : nullptr;
                       chunk.gradient = from(address(p.gradient), start);
                       chunk.count = std::min<int64_t>(update_chunk, p.count - start);
                       content.append(reinterpret_cast<const char *>(&chunk), sizeof chunk);
                     }
                   }
                   return content;
                 });
  CudaStorage *settings = l.storage(o.inputs[0]);
  l.run([=, address = l.addresses()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, chunk_count, 1, address(list), settings->address());
    };
    adam ? run(gpu.kernels().adam) : run(gpu.kernels().sgd);
  });
}

}  // namespace gapcam::cuda
