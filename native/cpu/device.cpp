#include "device.h"

#include <sched.h>

#include <cstdlib>
#include <thread>

#include "cache_folder.h"
#include "convolution.h"
#include "executable.h"
#include "json.h"
#include "kernels.h"
#include "lowering.h"
#include "onednn_engine.h"
#include "storage.h"

namespace gapcam {

namespace {

// How many processors the process may run on.
int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  const unsigned known = std::thread::hardware_concurrency();
  return known > 0 ? static_cast<int>(known) : 1;
}

std::string common_fields() {
  const std::string version = cpu::onednn::version();
  return format(
      "\"backend\": \"cpu\", \"version\": \"CPU with %s, %s\", \"onednn\": {\"version\": \"%s\", "
      "\"instructionSet\": \"%s\"}, \"instructionSet\": \"%s\", \"processors\": %d, \"bf16\": %s, "
      "\"cacheFolder\": %s",
      version.c_str(), cpu::instruction_set(), version.c_str(),
      cpu::onednn::instruction_set().c_str(), cpu::instruction_set(), available_processors(),
      cpu::onednn::has_bf16() ? "true" : "false", quoted(cache_folder()).c_str());
}

}  // namespace

std::string describe_backend() { return "{" + common_fields() + "}"; }

std::unique_ptr<Device> open_device(const DeviceOptions &options) {
  if (options.index != 0) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                format("Cannot open CPU device %d: there is one, number 0", options.index));
  }
  if (options.precision == GAPCAM_PRECISION_TF32) {
    throw Error(GAPCAM_UNSUPPORTED,
                "Cannot open the CPU with precision tf32: a CPU has f32, and bf16 where its "
                "instruction set does; use f32");
  }
  if (options.precision == GAPCAM_PRECISION_BF16 && !cpu::onednn::has_bf16()) {
    throw Error(GAPCAM_UNSUPPORTED,
                format("Cannot open the CPU with precision bf16: %s finds the instruction set %s "
                       "on this machine, and bf16 needs AVX-512 BF16; use f32",
                       cpu::onednn::version().c_str(), cpu::onednn::instruction_set().c_str()));
  }
  // So that a wish that cannot be met is an error at once.
  cpu::kernels();
  cpu::convolution_wish();
  const int threads = options.threads > 0 ? options.threads : available_processors();
  return std::make_unique<cpu::CpuDevice>(options, threads);
}

namespace cpu {

CpuDevice::CpuDevice(const DeviceOptions &options, int threads)
    : options_(options), threads_(threads), worker_(std::make_shared<Worker>(threads)) {}

std::shared_ptr<Storage> CpuDevice::allocate(DataType type, const Shape &shape, bool staged) {
  return std::make_shared<CpuStorage>(ledger_, type, shape, staged);
}

std::string CpuDevice::refusal(const Graph &graph, const Operation &operation) const {
  return std::visit(
      [&](const auto &attributes) { return cpu::refusal(graph, operation, attributes); },
      operation.attributes);
}

std::unique_ptr<Executable> CpuDevice::compile(std::shared_ptr<const Graph> graph) {
  return compile_program(std::move(graph), *this, worker_);
}

std::string CpuDevice::describe() const {
  return "{" + common_fields() +
         format(", \"index\": 0, \"name\": \"CPU\", \"precision\": \"%s\", \"threads\": %d}",
                options_.precision == GAPCAM_PRECISION_BF16 ? "bf16" : "f32", threads_);
}

uint64_t CpuDevice::free_bytes() const { return available_memory(); }

}  // namespace cpu
}  // namespace gapcam
