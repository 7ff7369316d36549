#include "executable.h"

#include <algorithm>
#include <chrono>
#include <dnnl.hpp>

#include "device.h"
#include "json.h"

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

const char *phase_name(uint32_t phase) {
  return phase == GAPCAM_FORWARD ? "forward" : phase == GAPCAM_BACKWARD ? "backward" : "update";
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
    : graph_(std::move(graph)),
      worker_(std::move(worker)),
      ledger_(device.shared_ledger()),
      threads_(device.threads()),
      bf16_(device.options().precision == GAPCAM_PRECISION_BF16),
      fused_(fuse(*graph_)),
      values_(graph_->values.size()),
      gradients_(graph_->values.size()) {
  build();
  allocate();
}

// Gives each buffer a place in the arena: the largest first, each at the lowest place where no
// buffer lies that is alive at the same time.
void CpuExecutable::allocate() {
  if (scratch_bytes_ > 0) {
    scratch_ = new_buffer(scratch_bytes_);
    buffers_.back().forever = true;
  }
  const int end = static_cast<int>(steps_.size());
  for (Buffer &buffer : buffers_) {
    if (buffer.forever) {
      buffer.first = 0;
      buffer.last = end;
    } else if (buffer.forward && buffer.backward) {
      // Backward may run again, on what the same forward left.
      buffer.last = end;
    }
    buffer.bytes = (buffer.bytes + 63) / 64 * 64;
  }
  std::vector<Buffer *> order;
  for (Buffer &buffer : buffers_) order.push_back(&buffer);
  std::stable_sort(order.begin(), order.end(),
                   [](const Buffer *a, const Buffer *b) { return a->bytes > b->bytes; });
  std::vector<Buffer *> placed;  // by offset
  size_t total = 0;
  for (Buffer *buffer : order) {
    size_t offset = 0;
    for (const Buffer *other : placed) {
      if (other->last < buffer->first || buffer->last < other->first) continue;
      if (offset + buffer->bytes <= other->offset) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    buffer->offset = offset;
    total = std::max(total, offset + buffer->bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), buffer,
                         [](const Buffer *a, const Buffer *b) { return a->offset < b->offset; }),
        buffer);
  }
  arena_ = Block(ledger_, total, format("a program of %zu steps", steps_.size()));
}

void CpuExecutable::run(uint32_t phases) {
  for (const auto &storage : staged_) storage->take_staged();
  worker_->run([&] {
    for (Step &step : steps_) {
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
  const Reference reference = values_[static_cast<size_t>(value)];
  if (reference.storage) return reference.storage->read(data, bytes);
  worker_->run(
      [&] { kernels().reorder(map_shape(value), 1, f32(reference), static_cast<float *>(data)); });
}

std::string CpuExecutable::describe() const {
  std::string json =
      format("{\"bytes\": %zu, \"threads\": %d, \"steps\": [", arena_.bytes(), threads_);
  for (size_t i = 0; i < steps_.size(); i++) {
    const Step &step = steps_[i];
    json += format(
        "%s{\"phase\": \"%s\", \"operation\": %s, \"name\": %s, \"algorithm\": %s, "
        "\"flops\": %.0f, \"bytes\": %.0f, \"runs\": %llu, \"milliseconds\": %.6f}",
        i ? ", " : "", phase_name(step.phase), quoted(step.operation).c_str(),
        quoted(step.name).c_str(), quoted(step.algorithm).c_str(), step.flops, step.bytes,
        static_cast<unsigned long long>(step.runs), step.milliseconds);
  }
  return json + "]}";
}

}  // namespace gapcam::cpu
