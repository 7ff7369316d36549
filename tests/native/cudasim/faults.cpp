// Makes every allocation and every kernel of a training run fail, one after another, and checks
// that each becomes a clear error, that nothing is left, and that the device then refuses to go on.
// Links the real libgapcam_cuda; GAPCAM_NVIDIA_FOLDER names the stand-ins. `faults open` runs once,
// with libraries that cannot be used, and prints the error.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gapcam.h"
#include "sim.h"

namespace {

int failures = 0;

void expect(bool condition, const std::string &what) {
  if (condition) return;
  failures++;
  std::printf("FAILED: %s\n", what.c_str());
}

struct Outcome {
  int32_t status = GAPCAM_OK;
  std::string message;
  std::vector<float> weights;
  std::string description;  // of the program
  long long allocations = 0, launches = 0;
};

// The first status that is not 0 ends a run.
struct Stop {
  int32_t status;
};

class Run {
 public:
  Run(int precision, uint32_t flags) : precision_(precision), flags_(flags) {}

  // Opens a device, trains for three steps and closes it again, whatever happens between.
  Outcome operator()() {
    Outcome outcome;
    try {
      train(outcome);
    } catch (const Stop &stop) {
      outcome.status = stop.status;
      outcome.message = message_;
      expect(message_[0] != '\0', "an error has a message");
      if (stop.status == GAPCAM_DEVICE_FAILED && device_) {
        gapcam_handle unused = 0;
        const int64_t one = 1;
        const int32_t again =
            gapcam_tensor_create(device_, GAPCAM_F32, 1, &one, 0, &unused, message_);
        expect(again == GAPCAM_DEVICE_FAILED && std::strstr(message_, "after it failed"),
               std::string("a failed device refuses further work: ") + message_);
      }
    }
    cudasim_counts(&outcome.allocations, &outcome.launches);
    expect(gapcam_device_close(device_, message_) == GAPCAM_OK, "a device can be closed");
    expect(gapcam_live_bytes() == 0, "no tensor is left after " + outcome.message);
    expect(cudasim_left() == 0, "the driver has nothing left after " + outcome.message);
    return outcome;
  }

 private:
  void check(int32_t status) {
    if (status != GAPCAM_OK) throw Stop{status};
  }

  gapcam_handle tensor(int type, const std::vector<int64_t> &shape, uint32_t flags = 0) {
    gapcam_handle made = 0;
    check(gapcam_tensor_create(device_, type, static_cast<int32_t>(shape.size()), shape.data(),
                               flags, &made, message_));
    return made;
  }

  gapcam_handle parameter(const std::vector<int64_t> &shape) {
    const gapcam_handle made = tensor(GAPCAM_F32, shape);
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    std::vector<float> values(count);
    for (size_t i = 0; i < count; i++) values[i] = static_cast<float>(i % 7) * 0.05f - 0.1f;
    check(gapcam_tensor_write(made, values.data(), count * sizeof(float), message_));
    parameters_.push_back(made);
    first_.push_back(tensor(GAPCAM_F32, shape));
    second_.push_back(tensor(GAPCAM_F32, shape));
    return made;
  }

  void train(Outcome &outcome) {
    check(gapcam_device_open(0, precision_, 0, flags_, &device_, message_));
    const gapcam_handle images = tensor(GAPCAM_U8, {4, 10, 12, 3}, GAPCAM_TENSOR_STAGED);
    const gapcam_handle labels = tensor(GAPCAM_I32, {4}, GAPCAM_TENSOR_STAGED);
    const gapcam_handle metrics = tensor(GAPCAM_F32, {8}), settings = tensor(GAPCAM_F32, {8});
    check(gapcam_program_create(device_, GAPCAM_PROGRAM_TRAINING, &program_, message_));
    const float half[3] = {0.5f, 0.5f, 0.5f};
    gapcam_handle x = 0, y = 0;
    check(gapcam_program_prepare_images(program_, images, 12, 12, half, half, &x, message_));
    const gapcam_handle weight = parameter({6, 3, 3, 3}), bias = parameter({6});
    check(gapcam_program_conv2d(program_, x, weight, bias, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                GAPCAM_LEAKY_RELU, 0.2f, 0.0f, &y, message_));
    check(gapcam_program_pool2d(program_, GAPCAM_MAX_POOL, y, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, &x,
                                message_));
    const gapcam_handle weight2 = parameter({9, 6, 3, 3}), bias2 = parameter({9});
    check(gapcam_program_conv2d(program_, x, weight2, bias2, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                GAPCAM_LEAKY_RELU, 0.2f, 0.0f, &y, message_));
    const gapcam_handle weight3 = parameter({8, 9, 3, 3});
    check(gapcam_program_conv2d(program_, y, weight3, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                GAPCAM_LEAKY_RELU, 0.2f, 0.0f, &x, message_));
    check(gapcam_program_global_average_pool(program_, x, 0, &y, message_));
    const gapcam_handle head = parameter({3, 8}), head_bias = parameter({3});
    check(gapcam_program_linear(program_, y, head, head_bias, &x, message_));
    gapcam_handle loss = 0;
    check(gapcam_program_loss(program_, GAPCAM_CROSS_ENTROPY, x, labels, 0, 0, 0.1f, metrics, &loss,
                              message_));
    std::vector<gapcam_handle> gradients(parameters_.size());
    const auto count = static_cast<int32_t>(parameters_.size());
    check(gapcam_program_backward(program_, loss, 0, parameters_.data(), count, gradients.data(),
                                  message_));
    gapcam_handle norm = 0, factor = 0;
    check(gapcam_program_gradient_norm(program_, count, gradients.data(), 1.0f, &norm, &factor,
                                       message_));
    check(gapcam_program_adam(program_, count, parameters_.data(), gradients.data(), first_.data(),
                              second_.data(), factor, settings, message_));
    check(gapcam_program_compile(program_, message_));
    for (int step = 0; step < 3; step++) {
      std::vector<uint8_t> pixels(4 * 10 * 12 * 3);
      for (size_t i = 0; i < pixels.size(); i++) {
        pixels[i] = static_cast<uint8_t>(i * 37 + static_cast<size_t>(step) * 11);
      }
      const int32_t classes[4] = {0, 1, 2, -1};
      const float adam[8] = {0.1f, 0.999f, 0.001f, 1e-8f, 0.0f, 1.0f, 0.01f, 0.03f};
      check(gapcam_tensor_write(images, pixels.data(), pixels.size(), message_));
      check(gapcam_tensor_write(labels, classes, sizeof classes, message_));
      check(gapcam_tensor_write(settings, adam, sizeof adam, message_));
      check(
          gapcam_program_run(program_, GAPCAM_FORWARD | GAPCAM_BACKWARD | GAPCAM_UPDATE, message_));
    }
    outcome.description.resize(1 << 16);
    check(gapcam_program_describe(program_, outcome.description.data(), outcome.description.size(),
                                  nullptr, message_));
    float numbers[8];
    check(gapcam_tensor_read(metrics, numbers, sizeof numbers, message_));
    expect(numbers[1] == 3.0f && numbers[5] == 0.0f, "three finite losses are counted");
    for (const gapcam_handle one : parameters_) {
      int32_t type = 0, rank = 0;
      int64_t shape[GAPCAM_MAX_RANK] = {1, 1, 1, 1};
      check(gapcam_tensor_shape(one, &type, &rank, shape, message_));
      size_t size = 1;
      for (int32_t i = 0; i < rank; i++) size *= static_cast<size_t>(shape[i]);
      const size_t start = outcome.weights.size();
      outcome.weights.resize(start + size);
      check(
          gapcam_tensor_read(one, outcome.weights.data() + start, size * sizeof(float), message_));
    }
  }

  int precision_;
  uint32_t flags_;
  gapcam_handle device_ = 0, program_ = 0;
  std::vector<gapcam_handle> parameters_, first_, second_;
  char message_[GAPCAM_MESSAGE_BYTES] = "";
};

// At most about thirty faults of a kind, spread over the run.
long long stride(long long count) { return count / 30 + 1; }

void set(const char *name, long long value) { setenv(name, std::to_string(value).c_str(), 1); }

// What is kept from one process to the next spares its work, and damage to it costs nothing else.
void check_cache(int precision, const std::vector<float> &weights) {
  namespace fs = std::filesystem;
  std::string folder = (fs::temp_directory_path() / "gapcam-faults-XXXXXX").string();
  if (!mkdtemp(folder.data())) return expect(false, "a folder can be made");
  setenv("GAPCAM_CACHE", folder.c_str(), 1);
  const auto compiled_by_a_run = [&](const std::string &what) {
    const long long before = cudasim_compiled(0);
    const Outcome outcome = Run(precision, 0)();
    expect(outcome.weights == weights, what + " changes nothing: " + outcome.message);
    return cudasim_compiled(0) - before;
  };
  expect(compiled_by_a_run("an empty cache") > 0, "without a cache plans are compiled");
  expect(compiled_by_a_run("a cache") == 0, "with a cache no plan is compiled");
  for (const auto &entry : fs::directory_iterator(folder)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    file.put('\x01');
  }
  expect(compiled_by_a_run("a damaged cache") > 0, "damaged plans are compiled anew");
  expect(compiled_by_a_run("a mended cache") == 0, "and kept again");
  fs::remove_all(folder);
  setenv("GAPCAM_CACHE", "/dev/null/cache", 1);
}

}  // namespace

int main(int count, char **arguments) {
  // What was timed in one run must not change the next.
  setenv("GAPCAM_CACHE", "/dev/null/cache", 1);
  if (count > 1 && std::strcmp(arguments[1], "open") == 0) {
    const Outcome outcome = Run(GAPCAM_PRECISION_F32, 0)();
    expect(outcome.status == GAPCAM_DEVICE_UNAVAILABLE, "the device does not open");
    std::printf("%s\n", outcome.message.c_str());
    return failures == 0 ? 0 : 1;
  }
  for (const int precision : {GAPCAM_PRECISION_F32, GAPCAM_PRECISION_BF16}) {
    const Outcome good = Run(precision, 0)();
    expect(good.status == GAPCAM_OK, "a run without a fault succeeds: " + good.message);
    expect(Run(precision, 0)().weights == good.weights, "two runs give the same bytes");
    expect(Run(precision, GAPCAM_DEVICE_SYNCHRONOUS)().weights == good.weights,
           "a synchronous device gives the same bytes");
    for (long long n = 1; n <= good.allocations; n += stride(good.allocations)) {
      set("CUDASIM_FAIL_ALLOCATION", n);
      const Outcome outcome = Run(precision, 0)();
      // Timing a plan may go without.
      expect(outcome.status == GAPCAM_OUT_OF_MEMORY || outcome.weights == good.weights,
             "allocation " + std::to_string(n) + " fails clearly: " + outcome.message);
    }
    unsetenv("CUDASIM_FAIL_ALLOCATION");
    for (long long n = 1; n <= good.launches; n += stride(good.launches)) {
      set("CUDASIM_FAIL_LAUNCH", n);
      const Outcome outcome = Run(precision, 0)();
      expect(outcome.status == GAPCAM_DEVICE_FAILED &&
                 outcome.message.find("illegal memory access") != std::string::npos,
             "kernel " + std::to_string(n) + " fails clearly: " + outcome.message);
      if (precision != GAPCAM_PRECISION_F32) continue;
      const Outcome named = Run(precision, GAPCAM_DEVICE_SYNCHRONOUS)();
      expect(named.status == GAPCAM_DEVICE_FAILED, "a synchronous device fails");
    }
    setenv("CUDASIM_KEEP_FAILURE", "1", 1);
    set("CUDASIM_FAIL_LAUNCH", 1);
    Run(precision, 0)();
    unsetenv("CUDASIM_FAIL_LAUNCH");
    const Outcome reopened = Run(precision, 0)();
    expect(reopened.status == GAPCAM_DEVICE_UNAVAILABLE &&
               reopened.message.find("start a new one") != std::string::npos,
           "a GPU that failed cannot be opened again: " + reopened.message);
    unsetenv("CUDASIM_KEEP_FAILURE");
    Run(precision, 0)();  // in whose end the failure goes
    // A failure that shows in what is called next, also in cuDNN and cuBLAS.
    setenv("CUDASIM_EAGER", "1", 1);
    for (long long n = 1; n <= good.launches; n += stride(good.launches)) {
      set("CUDASIM_FAIL_LAUNCH", n);
      const Outcome outcome = Run(precision, 0)();
      expect(outcome.status == GAPCAM_DEVICE_FAILED &&
                 outcome.message.find("illegal memory access") != std::string::npos,
             "kernel " + std::to_string(n) + " fails clearly at once: " + outcome.message);
    }
    unsetenv("CUDASIM_EAGER");
    unsetenv("CUDASIM_FAIL_LAUNCH");
    expect(good.description.find("\"recorded\": true") != std::string::npos,
           "steps are recorded: " + good.description);
    setenv("CUDASIM_REFUSE_CAPTURE", "1", 1);
    const Outcome unrecorded = Run(precision, 0)();
    expect(unrecorded.weights == good.weights, "without a recording: " + unrecorded.message);
    expect(unrecorded.description.find("\"recorded\": false, \"notRecorded\": \"Cannot run") !=
               std::string::npos,
           "a program says why it is not recorded: " + unrecorded.description);
    unsetenv("CUDASIM_REFUSE_CAPTURE");
    check_cache(precision, good.weights);
    std::printf("precision %d: faults among %lld allocations and %lld kernels\n", precision,
                good.allocations, good.launches);
  }
  expect(Run(GAPCAM_PRECISION_F32, 0)().status == GAPCAM_OK, "the device works again");
  std::printf(failures == 0 ? "all faults became clear errors\n" : "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
