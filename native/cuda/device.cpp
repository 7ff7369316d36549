#include "device.h"

#include <algorithm>

#include "executable.h"
#include "json.h"
#include "lowering.h"
#include "nccl_communicator.h"
#include "plan_timer.h"
#include "storage.h"

namespace gapcam {

namespace {

std::string library_fields() {
  const cuda::OpenedLibraries &opened = cuda::opened_libraries();
  std::string json = "\"libraries\": [";
  bool first = true;
  for (const cuda::LibraryReport &one : opened.libraries.reports) {
    json += format("%s{\"name\": %s", first ? "" : ", ", quoted(one.name).c_str());
    if (!one.path.empty()) json += format(", \"path\": %s", quoted(one.path).c_str());
    if (!one.version.empty()) json += format(", \"version\": %s", quoted(one.version).c_str());
    if (!one.problem.empty()) json += format(", \"problem\": %s", quoted(one.problem).c_str());
    json += "}";
    first = false;
  }
  return json + "]";
}

// What the driver finds, without opening it.
std::string device_fields(const cuda::driver::Functions &driver) {
  int32_t count = 0;
  cuda::driver::Result result = driver.cuInit(0);
  if (result == cuda::driver::success) result = driver.cuDeviceGetCount(&count);
  if (result != cuda::driver::success) {
    return format("\"devices\": [], \"problem\": %s",
                  quoted("the driver reports " + cuda::describe(driver, result)).c_str());
  }
  std::string json = "\"devices\": [";
  for (int32_t i = 0; i < count; i++) {
    cuda::driver::Device device = 0;
    char name[256] = "unknown";
    int32_t major = 0, minor = 0;
    size_t bytes = 0;
    if (driver.cuDeviceGet(&device, i) == cuda::driver::success) {
      driver.cuDeviceGetName(name, sizeof name, device);
      driver.cuDeviceGetAttribute(&major, cuda::driver::compute_capability_major, device);
      driver.cuDeviceGetAttribute(&minor, cuda::driver::compute_capability_minor, device);
      driver.cuDeviceTotalMem_v2(&bytes, device);
    }
    json += format(
        "%s{\"index\": %d, \"name\": %s, \"computeCapability\": \"%d.%d\", "
        "\"bytes\": %zu}",
        i ? ", " : "", i, quoted(name).c_str(), major, minor, bytes);
  }
  json += "]";
  if (count == 0) json += ", \"problem\": \"the driver finds no device\"";
  return json;
}

// What would join the GPUs of several ranks.
std::string nccl_fields() {
  const cuda::NcclLibrary &nccl = cuda::nccl_library();
  return nccl.problem.empty()
             ? format("\"nccl\": {\"library\": %s, \"version\": \"%s\"}", quoted(nccl.path).c_str(),
                      cuda::nccl_version_text(nccl.version).c_str())
             : format("\"nccl\": {\"problem\": %s}", quoted(nccl.problem).c_str());
}

std::string version_line(const cuda::Libraries &libraries) {
  return format("CUDA with cuDNN %zu.%zu.%zu, driver for CUDA %d.%d",
                libraries.cudnn_version / 10000, libraries.cudnn_version / 100 % 100,
                libraries.cudnn_version % 100, libraries.driver_version / 1000,
                libraries.driver_version % 1000 / 10);
}

}  // namespace

std::string describe_backend() {
  const cuda::OpenedLibraries &opened = cuda::opened_libraries();
  std::string json = "{\"backend\": \"cuda\", ";
  if (opened.problem.empty()) {
    json += "\"version\": " + quoted(version_line(opened.libraries)) + ", " +
            device_fields(opened.libraries.driver);
  } else {
    json += "\"version\": \"CUDA, not usable\", \"devices\": [], \"problem\": " +
            quoted(opened.problem);
  }
  return json + ", " + nccl_fields() + ", " + library_fields() + "}";
}

std::unique_ptr<Device> open_device(const DeviceOptions &options) {
  return std::make_unique<cuda::CudaDevice>(options);
}

namespace cuda {

namespace {

// Change it when a graph of the same name computes anything else, so that old plans are forgotten.
constexpr int graphs_version = 2;

}  // namespace

CudaDevice::CudaDevice(const DeviceOptions &options) : gpu_(std::make_shared<Gpu>(options)) {
  gpu_->set_ledger(ledger_);
  const Libraries &all = gpu_->libraries();
  target_ = std::make_unique<PlanTarget>(all, gpu_->cudnn());
  const std::string key =
      format("%s %d cuDNN %zu driver %d graphs %d", gpu_->name().c_str(), gpu_->capability(),
             all.cudnn_version, all.driver_version, graphs_version);
  const size_t workspace_limit =
      std::min<size_t>(size_t{1} << 30, std::max<size_t>(gpu_->free_bytes() / 8, 1 << 20));
  planner_ = std::make_unique<Planner>(*target_, key, workspace_limit, plan_timer(gpu_));
}

std::shared_ptr<Storage> CudaDevice::allocate(DataType type, const Shape &shape, bool staged) {
  return std::make_shared<CudaStorage>(gpu_, type, shape, staged);
}

std::string CudaDevice::refusal(const Graph &graph, const Operation &operation) const {
  return refusal_of(graph, operation);
}

std::unique_ptr<Executable> CudaDevice::compile(std::shared_ptr<const Graph> graph) {
  gpu_->enter();
  return std::make_unique<CudaExecutable>(std::move(graph), gpu_, *planner_);
}

std::shared_ptr<Communicator> CudaDevice::join(std::shared_ptr<Communicator> ranks) {
  gpu_->enter();
  return std::make_shared<NcclCommunicator>(gpu_, std::move(ranks));
}

std::string CudaDevice::describe() const {
  const gapcam_precision precision = gpu_->options().precision;
  std::string json =
      "{\"backend\": \"cuda\", \"version\": " + quoted(version_line(gpu_->libraries())) + ", " +
      library_fields();
  json += format(
      ", \"index\": %d, \"name\": %s, \"computeCapability\": \"%d.%d\", "
      "\"bytes\": %zu, \"precision\": \"%s\", \"convolutions\": [",
      gpu_->options().index, quoted(gpu_->name()).c_str(), gpu_->capability() / 10,
      gpu_->capability() % 10, gpu_->total_bytes(),
      precision == GAPCAM_PRECISION_BF16   ? "bf16"
      : precision == GAPCAM_PRECISION_TF32 ? "tf32"
                                           : "f32");
  bool first = true;
  for (const auto &[key, choice] : planner_->choices()) {
    json += format("%s{\"graph\": %s, \"algorithm\": %s", first ? "" : ", ",
                   quoted(choice.variants[0].name()).c_str(), quoted(choice.describe()).c_str());
    if (const std::string reason = choice.why_not_wanted(); !reason.empty()) {
      json += ", \"reason\": " + quoted(reason);
    }
    json += "}";
    first = false;
  }
  return json + "]}";
}

uint64_t CudaDevice::free_bytes() const {
  gpu_->enter_to_free();
  return gpu_->free_bytes();
}

}  // namespace cuda
}  // namespace gapcam
