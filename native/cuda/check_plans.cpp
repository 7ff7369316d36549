// Plans every convolution of some networks for devices that are only described, and compiles every
// kernel for them: what can be proved of the CUDA backend on a machine without a GPU. Programs are
// recorded through the C interface and built by the code that builds them for a real device.
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "backend.h"
#include "kernel_module.h"
#include "lowering.h"

namespace gapcam {
namespace {

using namespace cuda;

struct Description {
  std::string name;
  int capability = 0;
  std::unique_ptr<PlanTarget> target;
  std::map<int, std::unique_ptr<Planner>> planners;  // by precision
};

std::vector<Description> descriptions;

// A program that was built and never runs.
class DescribedExecutable : public Executable {
 public:
  DescribedExecutable(std::shared_ptr<const Graph> graph, gapcam_precision precision,
                      Planner &planner)
      : graph_(std::move(graph)), program_(*graph_, precision, planner) {}
  void run(uint32_t) override { refuse(); }
  void read(ValueId, void *, size_t) override { refuse(); }
  std::string describe() const override { return "{}"; }

 private:
  [[noreturn]] static void refuse() {
    throw Error(GAPCAM_UNSUPPORTED, "A device that is only described runs nothing");
  }
  std::shared_ptr<const Graph> graph_;
  Program program_;
};

class DescribedDevice : public Device {
 public:
  explicit DescribedDevice(const DeviceOptions &options) : options_(options) {}
  std::shared_ptr<Storage> allocate(DataType, const Shape &, bool) override {
    return std::make_shared<CudaStorage>();
  }
  std::string refusal(const Graph &graph, const Operation &operation) const override {
    return refusal_of(graph, operation);
  }
  std::unique_ptr<Executable> compile(std::shared_ptr<const Graph> graph) override {
    Description &one = descriptions.at(static_cast<size_t>(options_.index));
    std::unique_ptr<Planner> &planner = one.planners[options_.precision];
    if (!planner) {
      planner = std::make_unique<Planner>(*one.target, "", size_t{1} << 30, nullptr);
    }
    return std::make_unique<DescribedExecutable>(std::move(graph), options_.precision, *planner);
  }
  std::string describe() const override { return "{}"; }
  uint64_t free_bytes() const override { return 0; }

 private:
  DeviceOptions options_;
};

}  // namespace

std::unique_ptr<Device> open_device(const DeviceOptions &options) {
  return std::make_unique<DescribedDevice>(options);
}

std::string describe_backend() { return "{}"; }

namespace {

// A convolution with a leaky ReLU, or a max pool that halves.
struct Layer {
  int outputs = 0;  // 0: the pool
  int kernel = 3, stride = 1;
  int groups = 1;  // 0: as many as channels
  int dilation = 1;
  int before = 1, after = 1;  // padding
};

std::vector<Layer> chain(const std::vector<int> &outputs) {
  std::vector<Layer> layers;
  for (const int one : outputs) layers.push_back({one});
  return layers;
}

const std::map<std::string, std::vector<Layer>> networks = {
    {"vgg11", chain({64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0})},
    {"vgg13", chain({64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0})},
    {"vgg16",
     chain({64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0})},
    {"vgg19", chain({64,  64,  0,   128, 128, 0,   256, 256, 256, 256, 0,
                     512, 512, 512, 512, 0,   512, 512, 512, 512, 0})},
    // As in MobileNet and EfficientNet, padded as TensorFlow pads, and off the groups of channels.
    {"depthwise",
     {{32, 3, 2, 1, 1, 0, 1},
      {32, 3, 1, 0},
      {58, 1, 1, 1, 1, 0, 0},
      {58, 3, 2, 0},
      {116, 3, 1, 0},
      {144, 1, 1, 1, 1, 0, 0},
      {144, 3, 2, 0, 1, 0, 1},
      {144, 5, 1, 0, 1, 2, 2},
      {144, 5, 2, 0, 1, 1, 2},
      {144, 3, 1, 0, 2, 2, 2}}},
    // As in ResNeXt, RegNet and DeepLab.
    {"grouped",
     {{64, 7, 2, 1, 1, 3, 3},
      {128, 1, 1, 1, 1, 0, 0},
      {128, 3, 1, 32},
      {256, 3, 2, 32},
      {256, 3, 1, 16},
      {104, 1, 1, 1, 1, 0, 0},
      {104, 3, 2, 13},
      {102, 3, 1, 1},
      {128, 3, 1, 1, 2, 2, 2},
      {128, 3, 2, 4, 2, 2, 2}}}};

void require(int32_t status, const char *message) {
  if (status != GAPCAM_OK) throw Error(static_cast<gapcam_status>(status), message);
}

// Records and compiles a training step of the network: forward, backward and update.
void plan_network(int device_number, int precision, const std::vector<Layer> &trunk, int64_t size,
                  int64_t batch) {
  char message[GAPCAM_MESSAGE_BYTES] = "";
  gapcam_handle device = 0, program = 0;
  require(gapcam_device_open(device_number, precision, 0, 0, &device, message), message);
  const auto tensor = [&](int type, std::vector<int64_t> shape) {
    gapcam_handle made = 0;
    require(gapcam_tensor_create(device, type, static_cast<int32_t>(shape.size()), shape.data(), 0,
                                 &made, message),
            message);
    return made;
  };
  require(gapcam_program_create(device, GAPCAM_PROGRAM_TRAINING, &program, message), message);
  std::vector<gapcam_handle> parameters, first, second;
  const auto parameter = [&](const std::vector<int64_t> &shape) {
    parameters.push_back(tensor(GAPCAM_F32, shape));
    first.push_back(tensor(GAPCAM_F32, shape));
    second.push_back(tensor(GAPCAM_F32, shape));
    return parameters.back();
  };
  const float half[3] = {0.5f, 0.5f, 0.5f};
  gapcam_handle x = 0;
  require(gapcam_program_prepare_images(program, tensor(GAPCAM_U8, {batch, 96, 96, 3}), size, size,
                                        half, half, &x, message),
          message);
  int64_t channels = 3;
  for (const Layer &layer : trunk) {
    gapcam_handle made = 0;
    if (layer.outputs == 0) {
      require(gapcam_program_pool2d(program, GAPCAM_MAX_POOL, x, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0,
                                    &made, message),
              message);
    } else {
      const int64_t groups = layer.groups == 0 ? channels : layer.groups;
      const gapcam_handle weight =
          parameter({layer.outputs, channels / groups, layer.kernel, layer.kernel});
      const gapcam_handle bias = parameter({layer.outputs});
      require(gapcam_program_conv2d(program, x, weight, bias, layer.stride, layer.stride,
                                    layer.before, layer.before, layer.after, layer.after,
                                    layer.dilation, layer.dilation, static_cast<int32_t>(groups),
                                    GAPCAM_LEAKY_RELU, 0.2f, 0.0f, &made, message),
              message);
      channels = layer.outputs;
    }
    x = made;
  }
  gapcam_handle mean = 0, logits = 0, loss = 0;
  require(gapcam_program_global_average_pool(program, x, 0, &mean, message), message);
  const gapcam_handle weight = parameter({10, channels}), bias = parameter({10});
  require(gapcam_program_linear(program, mean, weight, bias, &logits, message), message);
  require(gapcam_program_cross_entropy(program, logits, tensor(GAPCAM_I32, {batch}), 0.0f, 0, &loss,
                                       message),
          message);
  const auto count = static_cast<int32_t>(parameters.size());
  std::vector<gapcam_handle> gradients(parameters.size());
  require(gapcam_program_backward(program, loss, 0, parameters.data(), count, gradients.data(),
                                  message),
          message);
  require(gapcam_program_adam(program, count, parameters.data(), gradients.data(), first.data(),
                              second.data(), tensor(GAPCAM_F32, {8}), message),
          message);
  require(gapcam_program_compile(program, message), message);
  require(gapcam_device_close(device, message), message);
}

struct Options {
  std::vector<std::string> devices,
      models = {"vgg11", "vgg13", "vgg16", "vgg19", "depthwise", "grouped"};
  std::vector<std::string> precisions = {"f32", "tf32", "bf16"};
  std::vector<std::string> sizes = {"224", "96"}, batches = {"1", "64"};
};

std::vector<std::string> split(const std::string &text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

Options parse(int count, char **arguments) {
  Options options;
  for (int i = 1; i < count; i++) {
    const std::string name = arguments[i];
    std::vector<std::string> *list = name == "--models"       ? &options.models
                                     : name == "--precisions" ? &options.precisions
                                     : name == "--sizes"      ? &options.sizes
                                     : name == "--batches"    ? &options.batches
                                                              : nullptr;
    if (!list) {
      options.devices.push_back(name);
    } else if (++i < count) {
      *list = split(arguments[i]);
    }
  }
  if (options.devices.empty()) {
    throw Error(GAPCAM_INVALID_ARGUMENT,
                "Cannot check plans without a device: name files such as "
                "scripts/gpu/devices/sm_90.json");
  }
  return options;
}

void describe_devices(const Options &options) {
  for (const std::string &path : options.devices) {
    std::ifstream file(path);
    std::ostringstream json;
    json << file.rdbuf();
    if (!file) throw Error(GAPCAM_INVALID_ARGUMENT, "Cannot read " + path);
    Description one;
    one.name = path.substr(path.rfind('/') + 1);
    one.name = one.name.substr(0, one.name.rfind('.'));
    const size_t version = json.str().find("\"deviceVer\":");
    if (version != std::string::npos) {
      one.capability = std::atoi(json.str().c_str() + version + std::strlen("\"deviceVer\":")) / 10;
    }
    try {
      one.target = std::make_unique<PlanTarget>(libraries(), json.str());
    } catch (const Error &error) {
      const size_t version = libraries().cudnn_version;
      throw Error(
          error.status(),
          format("cuDNN %zu.%zu.%zu does not take the description %s: %s; a newer cuDNN may "
                 "ask for a key that it lacks",
                 version / 10000, version / 100 % 100, version % 100, path.c_str(), error.what()));
    }
    descriptions.push_back(std::move(one));
  }
}

struct Count {
  int graphs = 0, planned = 0, refused = 0, unfused = 0;
};

void print_choice(const std::string &device, const Planner::Choice &choice, Count &count) {
  count.graphs++;
  const GraphRequest &wanted = choice.variants[0];
  if (choice.refused()) {
    count.refused++;
    std::cout << format("%-7s %-72s refused\n", device.c_str(), wanted.name().c_str());
    // Engines mostly decline for the same reason.
    for (const std::string &reason :
         std::set<std::string>(choice.refusals.begin(), choice.refusals.end())) {
      std::cout << "        " << reason << "\n";
    }
    return;
  }
  count.planned++;
  const auto plan = [&](size_t variant) {
    return choice.engines[variant] < 0 ? std::string("not to be had")
                                       : format("engine %lld, workspace %lld",
                                                static_cast<long long>(choice.engines[variant]),
                                                static_cast<long long>(choice.workspaces[variant]));
  };
  const char *outcome = !wanted.fused() ? "planned" : choice.variant == 0 ? "fused" : "unfused";
  if (wanted.fused() && choice.variant != 0) count.unfused++;
  std::cout << format("%-7s %-72s %-8s %s", device.c_str(), wanted.name().c_str(), outcome,
                      plan(0).c_str());
  for (size_t i = 1; i < choice.variants.size(); i++) std::cout << "; else " << plan(i);
  std::cout << "\n";
}

int check(const Options &options) {
  describe_devices(options);
  const std::map<std::string, int> precisions = {{"f32", GAPCAM_PRECISION_F32},
                                                 {"tf32", GAPCAM_PRECISION_TF32},
                                                 {"bf16", GAPCAM_PRECISION_BF16}};
  Count count;
  for (size_t d = 0; d < descriptions.size(); d++) {
    Description &one = descriptions[d];
    const std::string image = compile_kernels(libraries(), one.capability, false);
    std::cout << format("%-7s all kernels compiled, %zu bytes\n", one.name.c_str(), image.size());
    for (const std::string &precision : options.precisions) {
      std::map<std::string, bool> printed;
      for (const std::string &model : options.models) {
        for (const std::string &size : options.sizes) {
          for (const std::string &batch : options.batches) {
            try {
              plan_network(static_cast<int>(d), precisions.at(precision), networks.at(model),
                           std::stoll(size), std::stoll(batch));
            } catch (const Error &error) {
              count.graphs++;
              count.refused++;
              std::cout << format("%-7s %s %s batch %s %s: refused: %s\n", one.name.c_str(),
                                  model.c_str(), size.c_str(), batch.c_str(), precision.c_str(),
                                  error.what());
            }
            const auto planner = one.planners.find(precisions.at(precision));
            if (planner == one.planners.end()) continue;
            for (const auto &[key, choice] : planner->second->choices()) {
              if (printed.emplace(key, true).second) print_choice(one.name, choice, count);
            }
            std::cout << std::flush;
          }
        }
      }
    }
  }
  std::cout << format("%d graphs, %d planned, %d refused", count.graphs, count.planned,
                      count.refused);
  if (count.unfused > 0) std::cout << format(" (%d of them not fused)", count.unfused);
  std::cout << "\n";
  return count.refused == 0 && count.graphs > 0 ? 0 : 1;
}

}  // namespace
}  // namespace gapcam

int main(int count, char **arguments) {
  try {
    return gapcam::check(gapcam::parse(count, arguments));
  } catch (const std::exception &error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
