#include "program.h"

#include "lowering.h"

namespace gapcam::cuda {

Program::Program(const Graph &graph, gapcam_precision precision, Planner &planner) {
  for (const Value &value : graph.values) {
    auto *storage = static_cast<CudaStorage *>(value.storage.get());
    if (storage) staged_.push_back(storage);
  }
  const Lowering lowering(graph, *this, precision, planner);
  for (size_t i = 0; i < graph.values.size(); i++) {
    const auto value = static_cast<ValueId>(i);
    const Shape &s = graph.shape(value);
    Readable readable;
    readable.view = lowering.view_of(value);
    readable.is_map = s.size() == 4;
    if (graph.value(value).readable && readable.is_map) {
      conversion_bytes_ =
          std::max(conversion_bytes_, static_cast<size_t>(element_count(s)) * sizeof(float));
      const bool lies_as_map = lowering.is_map(value);
      readable.bf16 = lies_as_map && lowering.bf16();
      readable.copy = lowering.map_copy(s, !lies_as_map);
      readable.copy.channels = s[1];
      readable.copy.target_batch = s[1] * s[2] * s[3];
      readable.copy.target_pixel = 1;
      readable.copy.target_channel = s[2] * s[3];
      readable.copy.channels_innermost = 0;
    }
    readable_.push_back(readable);
  }
  schedule_.place();
}

void Program::bind(const Gpu &gpu, driver::Pointer arena) {
  arena_ = arena;
  gpu_ = &gpu;
  std::vector<std::string> contents;  // alive until the copies are done
  for (const Constant &constant : constants_) {
    contents.push_back(constant.content());
    gpu.check(gpu.driver().cuMemcpyHtoDAsync_v2(address(constant.place), contents.back().data(),
                                                contents.back().size(), gpu.stream()),
              "copy a program to the GPU");
  }
  gpu.synchronise("copy a program to the GPU");
}

uint64_t Program::preparation_version() const {
  uint64_t sum = 0;  // versions only grow
  for (const CudaStorage *storage : prepared_) sum += storage->version();
  return sum;
}

void Program::mark_changed(uint32_t phases) const {
  for (const auto &[phase, storage] : changed_) {
    if (phase & phases) storage->changed();
  }
}

void Program::read(const Gpu &gpu, ValueId value, void *data, size_t bytes) const {
  const Readable &from = readable_[static_cast<size_t>(value)];
  driver::Pointer source = address(from.view);
  if (from.is_map) {
    const int64_t count = from.copy.batch * from.copy.pixels * from.copy.channels;
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, source, gpu.conversion(), from.copy);
    };
    from.bf16 ? run(gpu.kernels().copy_bf16_to_f32) : run(gpu.kernels().copy_f32_to_f32);
    source = gpu.conversion();
  }
  gpu.check(gpu.driver().cuMemcpyDtoHAsync_v2(data, source, bytes, gpu.stream()),
            "copy a result from the GPU");
  gpu.synchronise("copy a result from the GPU");
}

}  // namespace gapcam::cuda
