#include "executable.h"

#include <chrono>
#include <dnnl.hpp>

#include "device.h"
#include "lowering.h"

namespace gapcam::cpu {

namespace {

// Runs `body`; a failure of oneDNN's becomes one of ours.
template <class Body>
void translate(const char *action, const std::string &subject, Body body) {
  try {
    body();
  } catch (const dnnl::error &error) {
    const bool memory = error.status == dnnl_out_of_memory;
    throw Error(memory ? GAPCAM_OUT_OF_MEMORY : GAPCAM_DEVICE_FAILED,
                format("Cannot %s %s: oneDNN reports status %d, %s", action, subject.c_str(),
                       static_cast<int>(error.status), error.message));
  }
}

}  // namespace

std::unique_ptr<Executable> compile_program(std::shared_ptr<const Graph> graph,
                                            const CpuDevice &device,
                                            std::shared_ptr<Worker> worker) {
  std::unique_ptr<Executable> executable;
  // On the worker, since oneDNN plans for the threads of the thread that asks.
  worker->run([&] {
    translate("compile", "a program", [&] {
      executable = std::make_unique<CpuExecutable>(std::move(graph), device, worker);
    });
  });
  return executable;
}

CpuExecutable::CpuExecutable(std::shared_ptr<const Graph> graph, const CpuDevice &device,
                             std::shared_ptr<Worker> worker)
    : graph_(std::move(graph)), worker_(std::move(worker)), threads_(device.threads()) {
  const Lowering lowering(*graph_, memory_, threads_,
                          device.options().precision == GAPCAM_PRECISION_BF16);
  for (size_t i = 0; i < graph_->values.size(); i++) {
    const auto value = static_cast<ValueId>(i);
    readable_.push_back({lowering.view_of(value), lowering.map_shape(value)});
    auto *storage = static_cast<CpuStorage *>(graph_->value(value).storage.get());
    if (storage) staged_.push_back(storage);
  }
  memory_.schedule.place();
  memory_.arena = Block(device.shared_ledger(), memory_.schedule.bytes(),
                        format("a program of %zu steps", memory_.schedule.steps().size()));
}

void CpuExecutable::run(uint32_t phases) {
  for (CpuStorage *storage : staged_) storage->take_staged();
  worker_->run([&] {
    for (Step &step : memory_.schedule.steps()) {
      if (!(step.phase & phases)) continue;
      const auto start = std::chrono::steady_clock::now();
      translate("run", step.name, step.body);
      if (graph_->profile) {
        const std::chrono::duration<double, std::milli> taken =
            std::chrono::steady_clock::now() - start;
        step.milliseconds += taken.count();
      }
      step.runs++;
    }
  });
}

void CpuExecutable::read(ValueId value, void *data, size_t bytes) {
  const Readable &from = readable_[static_cast<size_t>(value)];
  if (from.view.storage) return from.view.storage->read(data, bytes);
  worker_->run([&] {
    kernels().reorder(from.shape, 1, memory_.f32(from.view), static_cast<float *>(data));
  });
}

std::string CpuExecutable::describe() const {
  return format("{\"bytes\": %zu, \"threads\": %d, \"steps\": ", memory_.arena.bytes(), threads_) +
         memory_.schedule.describe() + "}";
}

}  // namespace gapcam::cpu
