// A device that is only described, behind the same C interface as a GPU: programs are recorded and
// built by the code that builds them for a real one, every convolution is planned by cuDNN, every
// kernel is compiled, and nothing runs. What can be proved of the backend on a machine without a
// GPU. GAPCAM_DESCRIBED_DEVICE names the file that describes the device, as cuDNN's
// CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION takes it.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "backend.h"
#include "json.h"
#include "kernel_module.h"
#include "lowering.h"
#include "planner.h"

namespace gapcam {
namespace {

using namespace cuda;

constexpr const char *variable = "GAPCAM_DESCRIBED_DEVICE";

[[noreturn]] void refuse(const char *action) {
  throw Error(
      GAPCAM_UNSUPPORTED,
      format("Cannot %s: the device is only described, and programs can only be compiled for "
             "it; open a real device",
             action));
}

// Takes initial values, so that networks can be made, and keeps none.
class DescribedStorage : public CudaStorage {
 public:
  void write(const void *, size_t) override {}
  void read(void *, size_t) override { refuse("read a tensor"); }
};

class DescribedExecutable : public Executable {
 public:
  DescribedExecutable(std::shared_ptr<const Graph> graph, gapcam_precision precision,
                      Planner &planner)
      : graph_(std::move(graph)), program_(*graph_, precision, planner) {}
  void run(uint32_t) override { refuse("run a program"); }
  void read(ValueId, void *, size_t) override { refuse("read a result"); }
  std::string describe() const override {
    return format("{\"bytes\": %zu, \"recorded\": false, \"steps\": ", program_.arena_bytes()) +
           program_.schedule().describe() + "}";
  }

 private:
  std::shared_ptr<const Graph> graph_;
  Program program_;
};

struct Description {
  std::string name, json;
  int capability = 0;
};

Description read_description() {
  const char *path = std::getenv(variable);
  if (!path || !*path) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                format("Cannot open the described device: %s is not set; name a file such as "
                       "scripts/gpu/devices/sm_90.json",
                       variable));
  }
  std::ifstream file(path);
  std::ostringstream json;
  json << file.rdbuf();
  if (!file) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                format("Cannot open the described device: %s cannot be read", path));
  }
  Description one;
  one.json = json.str();
  one.name = path;
  one.name = one.name.substr(one.name.rfind('/') + 1);
  one.name = one.name.substr(0, one.name.rfind('.'));
  const size_t version = one.json.find("\"deviceVer\":");
  if (version != std::string::npos) {
    one.capability = std::atoi(one.json.c_str() + version + std::strlen("\"deviceVer\":")) / 10;
  }
  return one;
}

std::string cudnn_version() {
  const size_t version = libraries().cudnn_version;
  return format("%zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
}

std::unique_ptr<PlanTarget> plan_target(const Description &description) {
  try {
    return std::make_unique<PlanTarget>(libraries(), description.json);
  } catch (const Error &error) {
    throw Error(error.status(),
                format("Cannot open the described device: cuDNN %s does not take the description "
                       "%s: %s; a newer cuDNN may ask for a key that it lacks",
                       cudnn_version().c_str(), std::getenv(variable), error.what()));
  }
}

// Of all kernels, compiled once a process, and anew: that they compile is what is asked here.
size_t kernel_bytes(int capability) {
  static const size_t bytes = compile_kernels(libraries(), capability, false).size();
  return bytes;
}

std::string describe_choice(const Planner::Choice &choice) {
  const GraphRequest &wanted = choice.variants[0];
  const char *outcome = choice.refused()       ? "refused"
                        : choice.request().own ? "own"
                        : !wanted.fused()      ? "planned"
                        : choice.variant == 0  ? "fused"
                                               : "unfused";
  std::string json = format("{\"graph\": %s, \"outcome\": \"%s\", \"algorithm\": %s, \"plans\": [",
                            quoted(wanted.name()).c_str(), outcome,
                            quoted(choice.refused() ? "refused" : choice.describe()).c_str());
  for (size_t i = 0; i < choice.variants.size(); i++) {
    if (choice.variants[i].own) continue;
    json +=
        format("%s{\"graph\": %s, \"engine\": %lld, \"workspace\": %lld}", i ? ", " : "",
               quoted(choice.variants[i].name()).c_str(), static_cast<long long>(choice.engines[i]),
               static_cast<long long>(choice.workspaces[i]));
  }
  json += "], \"refusals\": [";
  bool first = true;
  // Engines mostly decline for the same reason.
  for (const std::string &reason :
       std::set<std::string>(choice.refusals.begin(), choice.refusals.end())) {
    json += (first ? "" : ", ") + quoted(reason);
    first = false;
  }
  json += "]";
  if (const std::string reason = choice.why_not_wanted(); !reason.empty()) {
    json += ", \"reason\": " + quoted(reason);
  }
  return json + "}";
}

class DescribedDevice : public Device {
 public:
  explicit DescribedDevice(const DeviceOptions &options)
      : options_(options), description_(read_description()), target_(plan_target(description_)) {
    kernel_bytes_ = kernel_bytes(description_.capability);
    planner_ = std::make_unique<Planner>(*target_, "", size_t{1} << 30, nullptr);
  }

  std::shared_ptr<Storage> allocate(DataType, const Shape &, bool) override {
    return std::make_shared<DescribedStorage>();
  }
  std::string refusal(const Graph &graph, const Operation &operation) const override {
    return refusal_of(graph, operation);
  }
  std::unique_ptr<Executable> compile(std::shared_ptr<const Graph> graph) override {
    return std::make_unique<DescribedExecutable>(std::move(graph), options_.precision, *planner_);
  }
  std::string describe() const override {
    const gapcam_precision precision = options_.precision;
    std::string json = format(
        "{\"backend\": \"cuda\", \"version\": %s, \"libraries\": [], \"index\": 0, \"name\": %s, "
        "\"computeCapability\": \"%d.%d\", \"bytes\": 0, \"precision\": \"%s\", "
        "\"kernelBytes\": %zu, \"convolutions\": [",
        quoted("CUDA, only described, with cuDNN " + cudnn_version()).c_str(),
        quoted(description_.name).c_str(), description_.capability / 10,
        description_.capability % 10,
        precision == GAPCAM_PRECISION_BF16   ? "bf16"
        : precision == GAPCAM_PRECISION_TF32 ? "tf32"
                                             : "f32",
        kernel_bytes_);
    bool first = true;
    for (const auto &[key, choice] : planner_->choices()) {
      json += (first ? "" : ", ") + describe_choice(choice);
      first = false;
    }
    return json + "]}";
  }
  uint64_t free_bytes() const override { return 0; }

 private:
  DeviceOptions options_;
  Description description_;
  std::unique_ptr<PlanTarget> target_;
  std::unique_ptr<Planner> planner_;
  size_t kernel_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Device> open_device(const DeviceOptions &options) {
  if (options.index != 0) {
    throw Error(
        GAPCAM_DEVICE_UNAVAILABLE,
        format("Cannot open device number %d: only one is described, number 0", options.index));
  }
  return std::make_unique<DescribedDevice>(options);
}

std::string describe_backend() {
  return "{\"backend\": \"cuda\", \"version\": \"CUDA, only described\", \"devices\": [], "
         "\"problem\": \"the device is only described\", \"libraries\": []}";
}

}  // namespace gapcam
