#include <algorithm>
#include <cmath>

#include "../lowering.h"
#include "elementwise.h"

namespace gapcam::cpu {

namespace {

// A parameter, or with null for what is absent a gradient by itself.
struct Parameter {
  CpuStorage *value, *first, *second;
  View gradient;
  int64_t count;
};

// The pieces of all parameters, found again at each run: tensors may have moved.
class Chunks {
 public:
  explicit Chunks(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {
    size_t count = 0;
    for (const Parameter &p : parameters_) count += chunks_of(p);
    chunks_ = std::make_shared<std::vector<UpdateChunk>>(count);
  }

  size_t count() const { return chunks_->size(); }
  const std::vector<Parameter> &parameters() const { return parameters_; }

  const UpdateChunk *fill(const ProgramMemory &m) const {
    size_t filled = 0;
    for (const Parameter &p : parameters_) {
      const auto from = [](CpuStorage *storage, int64_t start) {
        return storage ? storage->f32() + start : nullptr;
      };
      for (int64_t start = 0; start < p.count; start += update_chunk) {
        (*chunks_)[filled++] = {from(p.value, start), from(p.first, start), from(p.second, start),
                                m.f32(p.gradient) + start, std::min(update_chunk, p.count - start)};
      }
    }
    return chunks_->data();
  }

 private:
  static size_t chunks_of(const Parameter &p) {
    return static_cast<size_t>((p.count + update_chunk - 1) / update_chunk);
  }

  std::vector<Parameter> parameters_;
  std::shared_ptr<std::vector<UpdateChunk>> chunks_;
};

}  // namespace

void lower(Lowering &l, const Operation &o, const GradientNorm &norm) {
  std::vector<Parameter> gradients;
  for (const Operand &input : o.inputs) {
    gradients.push_back(
        {nullptr, nullptr, nullptr, l.read_plain(input), element_count(l.shape(input.value))});
  }
  const Chunks chunks(std::move(gradients));
  l.begin(o).name = format("gradient_norm over %zu gradients", o.inputs.size());
  const View sums = l.temporary(chunks.count() * sizeof(double)), all = l.write(o.outputs[0]),
             factor = l.write(o.outputs[1]);
  l.run([=, max_norm = norm.max_norm, &m = l.memory()] {
    const auto count = static_cast<int64_t>(chunks.count());
    kernels().sum_squares(chunks.fill(m), count, m.f64(sums));
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) sum += m.f64(sums)[i];
    *m.f32(all) = static_cast<float>(std::sqrt(sum));
    *m.f32(factor) = clip_factor(*m.f32(all), max_norm);
  });
}

void lower(Lowering &l, const Operation &o, const Update &update) {
  const size_t each = update.operands_each();
  const View factor = l.read(o.inputs[1]);
  std::vector<Parameter> parameters;
  double elements = 0;
  for (size_t i = Update::first_parameter; i < o.inputs.size(); i += each) {
    Parameter p{};
    p.value = l.storage(o.inputs[i]);
    p.gradient = l.read_plain(o.inputs[i + 1]);
    if (each > 2) p.first = l.storage(o.inputs[i + 2]);
    if (each > 3) p.second = l.storage(o.inputs[i + 3]);
    p.count = element_count(l.shape(o.inputs[i].value));
    elements += static_cast<double>(p.count);
    parameters.push_back(p);
  }
  Step &step = l.begin(o);
  step.name = format("%s over %zu parameters", step.operation.c_str(), parameters.size());
  step.bytes = elements * sizeof(float) * static_cast<double>(2 * each - 1);
  const CpuStorage *settings = l.storage(o.inputs[0]);
  const Chunks chunks(std::move(parameters));
  l.run([=, kind = update.kind, &m = l.memory()] {
    const UpdateChunk *list = chunks.fill(m);
    const auto kernel = kind == UpdateKind::adam  ? kernels().adam
                        : kind == UpdateKind::sgd ? kernels().sgd
                                                  : kernels().blend;
    kernel(list, static_cast<int64_t>(chunks.count()), factor ? *m.f32(factor) : 1.0f,
           settings->f32());
    for (const Parameter &p : chunks.parameters()) {
      for (CpuStorage *changed : {p.value, p.first, p.second}) {
        if (changed) changed->changed();
      }
    }
  });
}

}  // namespace gapcam::cpu
