#include <algorithm>

#include "../lowering.h"

namespace gapcam::cuda {

namespace {

// A parameter, or with null for what is absent a gradient by itself.
struct Parameter {
  CudaStorage *value, *first, *second;
  View gradient;
  int64_t count;
};

int64_t chunk_count(const std::vector<Parameter> &parameters) {
  int64_t count = 0;
  for (const Parameter &p : parameters) count += (p.count + update_chunk - 1) / update_chunk;
  return count;
}

// The pieces of all parameters, as the kernels take them.
View chunk_list(Lowering &l, const std::vector<Parameter> &parameters) {
  return l.constant(static_cast<size_t>(chunk_count(parameters)) * sizeof(UpdateChunk),
                    [parameters, address = l.addresses()] {
                      std::string content;
                      for (const Parameter &p : parameters) {
                        const auto from = [](driver::Pointer base, int64_t start) {
                          return base ? reinterpret_cast<float *>(base) + start : nullptr;
                        };
                        const auto storage = [&](CudaStorage *one, int64_t start) {
                          return one ? from(one->address(), start) : nullptr;
                        };
                        for (int64_t start = 0; start < p.count; start += update_chunk) {
                          UpdateChunk chunk{};
                          chunk.parameter = storage(p.value, start);
                          chunk.first = storage(p.first, start);
                          chunk.second = storage(p.second, start);
                          chunk.gradient = from(address(p.gradient), start);
                          chunk.count = std::min<int64_t>(update_chunk, p.count - start);
                          content.append(reinterpret_cast<const char *>(&chunk), sizeof chunk);
                        }
                      }
                      return content;
                    });
}

}  // namespace

void lower(Lowering &l, const Operation &o, const GradientNorm &norm) {
  std::vector<Parameter> gradients;
  for (const Operand &input : o.inputs) {
    gradients.push_back(
        {nullptr, nullptr, nullptr, l.read_plain(input), element_count(l.shape(input.value))});
  }
  const int64_t count = chunk_count(gradients);
  l.begin(o, name_of(o), no_value).name =
      format("gradient_norm over %zu gradients", o.inputs.size());
  const View list = chunk_list(l, gradients),
             sums = l.temporary(static_cast<size_t>(count) * sizeof(double)),
             all = l.write(o.outputs[0]), factor = l.write(o.outputs[1]);
  l.run(
      [=, max_norm = norm.max_norm, address = l.addresses()](const Gpu &gpu) {
        gpu.launch(gpu.kernels().sum_squares, count, 1, address(list), address(sums));
        gpu.launch(gpu.kernels().finish_norm, 1, 1, address(sums), address(all), address(factor),
                   count, max_norm);
      },
      2);
}

void lower(Lowering &l, const Operation &o, const Update &update) {
  const size_t each = update.operands_each();
  const View factor = l.read(o.inputs[1]);
  std::vector<Parameter> parameters;
  int64_t elements = 0;
  for (size_t i = Update::first_parameter; i < o.inputs.size(); i += each) {
    Parameter p{};
    p.value = l.storage(o.inputs[i]);
    p.gradient = l.read_plain(o.inputs[i + 1]);
    if (each > 2) p.first = l.storage(o.inputs[i + 2]);
    if (each > 3) p.second = l.storage(o.inputs[i + 3]);
    p.count = element_count(l.shape(o.inputs[i].value));
    elements += p.count;
    parameters.push_back(p);
    for (CudaStorage *changed : {p.value, p.first, p.second}) l.changes(GAPCAM_UPDATE, changed);
  }
  Step &step = l.begin(o, name_of(o), no_value);
  step.name = format("%s over %zu parameters", step.operation.c_str(), parameters.size());
  step.bytes = static_cast<double>(elements) * sizeof(float) * static_cast<double>(2 * each - 1);
  const View list = chunk_list(l, parameters);
  CudaStorage *settings = l.storage(o.inputs[0]);
  l.run([=, kind = update.kind, count = chunk_count(parameters),
         address = l.addresses()](const Gpu &gpu) {
    const auto run = [&](const auto &kernel) {
      gpu.launch(kernel, count, 1, address(list), address(factor), settings->address());
    };
    kind == UpdateKind::adam  ? run(gpu.kernels().adam)
    : kind == UpdateKind::sgd ? run(gpu.kernels().sgd)
                              : run(gpu.kernels().blend);
  });
}

}  // namespace gapcam::cuda
