// Many threads on the C interface, whose header says: every function may be called from any thread,
// and a stale handle gives GAPCAM_INVALID_HANDLE, never a crash. Built with a sanitizer
// (-DGAPCAM_SANITIZE=ON or -DGAPCAM_TSAN=ON) it says where; without one it shows crashes,
// deadlocks, wrong values and leaks.
//
//   abi_threads [SECONDS [CASE]]
//
// SECONDS, 6 unless given, are shared by all cases. Links to either backend. Every CPU device has
// one thread of its own: libgomp is not built for ThreadSanitizer, which would take its barriers
// for races.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gapcam.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int thread_count = 16;
constexpr int seconds_without_a_call = 60;

std::atomic<long> calls{0}, good_calls{0};
std::atomic<int> failures{0};

void fail(const std::string &what) {
  if (failures++ < 20) std::printf("FAILED: %s\n", what.c_str());
}

// Any clear refusal will do; what must not happen is a failure within the library.
int32_t check(int32_t status, const char *what, const char *message = "") {
  calls++;
  if (status == GAPCAM_OK) good_calls++;
  if (status < GAPCAM_OK || status >= GAPCAM_INTERNAL) {
    fail(std::string(what) + " gives status " + std::to_string(status) + ", " + message);
  }
  return status;
}

// For what nothing may refuse.
void expect(int32_t status, const char *what) {
  if (check(status, what) != GAPCAM_OK) {
    fail(std::string(what) + " is refused with status " + std::to_string(status));
  }
}

gapcam_handle open_device() {
  gapcam_handle device = 0;
  char message[GAPCAM_MESSAGE_BYTES] = "";
  if (gapcam_device_open(0, GAPCAM_PRECISION_F32, 1, 0, &device, message) != GAPCAM_OK) {
    std::printf("FAILED: %s\n", message);
    std::_Exit(1);
  }
  return device;
}

// 0 where it is refused.
gapcam_handle make_tensor(gapcam_handle device, const std::vector<int64_t> &shape,
                          int32_t type = GAPCAM_F32, uint32_t flags = 0) {
  gapcam_handle tensor = 0;
  check(gapcam_tensor_create(device, type, static_cast<int32_t>(shape.size()), shape.data(), flags,
                             &tensor, nullptr),
        "tensor_create");
  return tensor;
}

// Threads that repeat something until the time is over.
class Crowd {
 public:
  explicit Crowd(double seconds)
      : end_(Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}

  void add(int count, const std::function<void(std::mt19937 &)> &step) {
    for (int i = 0; i < count; i++) {
      const auto seed = static_cast<unsigned>(threads_.size()) * 7919 + 13;
      threads_.emplace_back([this, seed, step] {
        std::mt19937 random(seed);
        while (Clock::now() < end_) step(random);
      });
    }
  }

  // Waits for them; ends the process where they wait for each other.
  void finish(const char *name) {
    std::atomic<bool> done{false};
    std::thread watch([&] {
      long before = calls;
      for (int quiet = 0; !done;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        quiet = calls == before ? quiet + 1 : 0;
        before = calls;
        if (quiet >= seconds_without_a_call * 10) {
          std::printf("FAILED: %s: no call has ended for %d seconds\n", name,
                      seconds_without_a_call);
          std::fflush(stdout);
          std::_Exit(1);
        }
      }
    });
    for (std::thread &thread : threads_) thread.join();
    done = true;
    watch.join();
  }

 private:
  const Clock::time_point end_;
  std::vector<std::thread> threads_;
};

// Threads write a tensor that another destroys, while a program keeps the device busy.
void write_destroy(double seconds, uint32_t flags) {
  const gapcam_handle device = open_device();
  const gapcam_handle x = make_tensor(device, {4, 64, 16, 16});
  gapcam_handle program = 0, y = 0;
  expect(gapcam_program_create(device, 0, &program, nullptr), "program_create");
  expect(gapcam_program_leaky_relu(program, x, 0.5f, &y, nullptr), "leaky_relu");
  expect(gapcam_program_output(program, y, nullptr), "output");
  expect(gapcam_program_compile(program, nullptr), "compile");
  const int64_t bytes = flags ? 1 << 18 : 64;
  std::atomic<gapcam_handle> current{0};
  Crowd crowd(seconds);
  crowd.add(1, [&](auto &) { expect(gapcam_program_run(program, 1, nullptr), "run"); });
  crowd.add(5, [&](auto &) {
    const std::vector<uint8_t> data(static_cast<size_t>(bytes), 7);
    if (const gapcam_handle tensor = current) {
      check(gapcam_tensor_write(tensor, data.data(), data.size(), nullptr), "tensor_write");
    }
  });
  crowd.add(1, [&](auto &random) {
    const gapcam_handle tensor = make_tensor(device, {bytes, 1, 1, 1}, GAPCAM_U8, flags);
    current = tensor;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 200));
    expect(gapcam_tensor_destroy(tensor, nullptr), "tensor_destroy");
  });
  crowd.finish(flags ? "staged_write_destroy" : "write_destroy");
  expect(gapcam_device_close(device, nullptr), "device_close");
}

// Threads record with a value of a program that another destroys meanwhile.
void foreign_destroy(double seconds) {
  const gapcam_handle device = open_device();
  const gapcam_handle x = make_tensor(device, {1, 1, 2, 2});
  std::atomic<gapcam_handle> value{0};
  Crowd crowd(seconds);
  for (int i = 0; i < 8; i++) {
    gapcam_handle program = 0;
    expect(gapcam_program_create(device, 0, &program, nullptr), "program_create");
    crowd.add(1, [&value, program](auto &) {
      gapcam_handle out = 0;
      if (const gapcam_handle foreign = value) {
        check(gapcam_program_leaky_relu(program, foreign, 0.5f, &out, nullptr), "leaky_relu");
      }
    });
  }
  crowd.add(4, [&](auto &) {
    gapcam_handle program = 0, made = 0;
    expect(gapcam_program_create(device, 0, &program, nullptr), "program_create");
    expect(gapcam_program_leaky_relu(program, x, 0.5f, &made, nullptr), "leaky_relu");
    value = made;
    std::this_thread::yield();
    expect(gapcam_program_destroy(program, nullptr), "program_destroy");
  });
  crowd.finish("foreign_destroy");
  expect(gapcam_device_close(device, nullptr), "device_close");
}

// Threads make tensors and programs on devices that others close.
void create_close(double seconds) {
  std::atomic<gapcam_handle> current{0};
  Crowd crowd(seconds);
  crowd.add(6, [&](auto &) { make_tensor(current, {1024}); });
  crowd.add(6, [&](auto &) {
    const gapcam_handle device = current, x = make_tensor(device, {4});
    gapcam_handle program = 0, y = 0;
    check(gapcam_program_create(device, 0, &program, nullptr), "program_create");
    check(gapcam_program_leaky_relu(program, x, 0.5f, &y, nullptr), "leaky_relu");
    check(gapcam_program_compile(program, nullptr), "compile");
    check(gapcam_program_run(program, 1, nullptr), "run");
  });
  crowd.add(2, [&](auto &random) {
    const gapcam_handle device = open_device();
    current = device;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    expect(gapcam_device_close(device, nullptr), "device_close");
  });
  crowd.finish("create_close");
}

// Every thread works by itself, on a device that it shares, and gets the values that are its own.
void own_values(double seconds) {
  const gapcam_handle devices[] = {open_device(), open_device()};
  Crowd crowd(seconds);
  crowd.add(thread_count, [&](auto &random) {
    const gapcam_handle device = devices[random() % 2];
    const uint32_t flags = random() % 2 ? GAPCAM_TENSOR_STAGED : 0;
    const gapcam_handle x = make_tensor(device, {2, 1, 3, 4}, GAPCAM_F32, flags);
    const gapcam_handle weight = make_tensor(device, {1, 1, 1, 1});
    gapcam_handle program = 0, map = 0, y = 0;
    expect(gapcam_program_create(device, 0, &program, nullptr), "program_create");
    expect(gapcam_program_conv2d(program, x, weight, 0, 1, 1, 0, 0, 1.0f, &map, nullptr), "conv2d");
    expect(gapcam_program_leaky_relu(program, map, 0.25f, &y, nullptr), "leaky_relu");
    expect(gapcam_program_output(program, y, nullptr), "output");
    expect(gapcam_program_compile(program, nullptr), "compile");
    for (int round = 0; round < 3; round++) {
      float in[24], out[24] = {};
      const auto scale = static_cast<float>(static_cast<int>(random() % 64) - 32);
      for (float &one : in) one = static_cast<float>(static_cast<int>(random() % 64) - 32);
      expect(gapcam_tensor_write(x, in, sizeof in, nullptr), "tensor_write");
      expect(gapcam_tensor_write(weight, &scale, sizeof scale, nullptr), "tensor_write");
      expect(gapcam_program_run(program, GAPCAM_FORWARD, nullptr), "run");
      expect(gapcam_tensor_read(y, out, sizeof out, nullptr), "tensor_read");
      for (int i = 0; i < 24; i++) {
        const float product = in[i] * scale;
        if (out[i] != (product < 0 ? product * 0.25f : product)) fail("a value is wrong");
      }
    }
    expect(gapcam_program_destroy(program, nullptr), "program_destroy");
    expect(gapcam_tensor_destroy(weight, nullptr), "tensor_destroy");
    expect(gapcam_tensor_destroy(x, nullptr), "tensor_destroy");
  });
  crowd.finish("own_values");
  for (const gapcam_handle device : devices) {
    expect(gapcam_device_close(device, nullptr), "device_close");
  }
}

// Handles that all threads share, most of them stale.
class Pool {
 public:
  explicit Pool(size_t capacity) : capacity_(capacity) {}
  gapcam_handle pick(std::mt19937 &random) {
    std::lock_guard lock(mutex_);
    return all_.empty() ? 0 : all_[random() % all_.size()];
  }
  // Gives back the one whose place it took.
  gapcam_handle put(gapcam_handle handle, std::mt19937 &random) {
    std::lock_guard lock(mutex_);
    if (all_.size() < capacity_) {
      all_.push_back(handle);
      return 0;
    }
    std::swap(all_[random() % capacity_], handle);
    return handle;
  }
  std::vector<gapcam_handle> all() {
    std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::vector<gapcam_handle> all_;
};

struct Pools {
  Pool devices{4}, tensors{64}, programs{32};
};

// Where the system gives no threads, opening says so; OpenMP would end the process.
void few_threads() {
  const pid_t child = fork();
  if (child == 0) {
    // Whom nothing limits becomes somebody.
    constexpr uid_t somebody = 54321;
    const rlimit limit = {20, 20};
    if (setrlimit(RLIMIT_NPROC, &limit) != 0 || (geteuid() == 0 && setuid(somebody) != 0)) {
      std::_Exit(2);
    }
    gapcam_handle device = 0;
    char message[GAPCAM_MESSAGE_BYTES] = "";
    const int32_t status = gapcam_device_open(0, GAPCAM_PRECISION_F32, 64, 0, &device, message);
    const bool clear = status == GAPCAM_DEVICE_UNAVAILABLE &&
                       std::strncmp(message, "Cannot open the CPU with 64 threads: ", 37) == 0;
    std::_Exit(clear ? 0 : 3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  if (code == 2) std::printf("few_threads: skipped, because nothing can be limited here\n");
  if (code != 0 && code != 2) fail("without threads a device is not refused in a sentence");
}

int64_t some_dimension(std::mt19937 &random) {
  constexpr int64_t dimensions[] = {1, 2, 3, 4, 8};
  return dimensions[random() % 5];
}

// Reads or writes a tensor whose shape another thread chose.
int32_t copy_tensor(gapcam_handle tensor, std::mt19937 &random, char *message) {
  int32_t type = 0, rank = 0;
  int64_t shape[GAPCAM_MAX_RANK] = {};
  const int32_t status = gapcam_tensor_shape(tensor, &type, &rank, shape, message);
  if (status != GAPCAM_OK) return status;
  uint64_t bytes = type == GAPCAM_U8 ? 1 : 4;
  for (int32_t i = 0; i < rank; i++) bytes *= static_cast<uint64_t>(shape[i]);
  if (bytes > (1 << 16)) return GAPCAM_OK;
  std::vector<uint8_t> data(bytes);
  return random() % 2 ? gapcam_tensor_write(tensor, data.data(), bytes, message)
                      : gapcam_tensor_read(tensor, data.data(), bytes, message);
}

// One random call.
void any_call(Pools &pools, std::mt19937 &random) {
  char message[GAPCAM_MESSAGE_BYTES] = "";
  const gapcam_handle device = pools.devices.pick(random), x = pools.tensors.pick(random),
                      w = pools.tensors.pick(random), program = pools.programs.pick(random);
  gapcam_handle out = 0;
  int32_t status = GAPCAM_OK;
  const auto made = [&](int32_t result) {
    status = result;
    if (result == GAPCAM_OK) pools.tensors.put(out, random);
  };
  switch (random() % 20) {
    case 0:
      if (random() % 16) break;
      status = gapcam_device_open(0, 0, 1, 0, &out, message);
      if (status == GAPCAM_OK) gapcam_device_close(pools.devices.put(out, random), nullptr);
      break;
    case 1:
      if (random() % 8 == 0) status = gapcam_device_close(device, message);
      break;
    case 2:
    case 3: {
      int64_t shape[GAPCAM_MAX_RANK];
      for (int64_t &one : shape) one = some_dimension(random);
      const auto type = static_cast<int32_t>(random() % 3);
      const auto rank = static_cast<int32_t>(1 + random() % GAPCAM_MAX_RANK);
      made(gapcam_tensor_create(device, type, rank, shape, random() % 2, &out, message));
      break;
    }
    case 4:
      status = gapcam_tensor_destroy(x, message);
      break;
    case 5:
    case 6:
      status = copy_tensor(x, random, message);
      break;
    case 7:
    case 8:
      status = gapcam_program_create(device, random() % 4, &out, message);
      if (status == GAPCAM_OK) pools.programs.put(out, random);
      break;
    case 9:
      status = gapcam_program_destroy(program, message);
      break;
    case 10:
    case 11:
      made(gapcam_program_leaky_relu(program, x, 0.5f, &out, message));
      break;
    case 12:
      made(gapcam_program_conv2d(program, x, w, 0, 1, 1, 1, 1, 0.2f, &out, message));
      break;
    case 13:
      made(gapcam_program_linear(program, x, w, 0, &out, message));
      break;
    case 14:
      made(gapcam_program_global_average_pool(program, x, &out, message));
      break;
    case 15: {
      const gapcam_handle target = pools.tensors.pick(random);
      made(gapcam_program_backward(program, x, w, &target, 1, &out, message));
      break;
    }
    case 16:
      status = gapcam_program_output(program, x, message);
      break;
    case 17:
      status = gapcam_program_compile(program, message);
      break;
    case 18:
      status = gapcam_program_run(program, 1 + random() % 7, message);
      break;
    case 19: {
      char json[4096];
      uint64_t needed = 0, numbers[4] = {};
      check(gapcam_device_memory(device, numbers, message), "device_memory", message);
      status = gapcam_program_describe(program, json, sizeof json, &needed, message);
      break;
    }
  }
  check(status, "a random call", message);
}

void chaos(double seconds) {
  Pools pools;
  std::mt19937 random(1);
  for (int i = 0; i < 3; i++) pools.devices.put(open_device(), random);
  Crowd crowd(seconds);
  crowd.add(thread_count, [&](std::mt19937 &own) { any_call(pools, own); });
  crowd.finish("chaos");
  for (const gapcam_handle device : pools.devices.all()) gapcam_device_close(device, nullptr);
}

}  // namespace

int main(int count, char **arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::pair<const char *, std::function<void(double)>> cases[] = {
      {"write_destroy", [](double seconds) { write_destroy(seconds, 0); }},
      {"staged_write_destroy",
       [](double seconds) { write_destroy(seconds, GAPCAM_TENSOR_STAGED); }},
      {"foreign_destroy", foreign_destroy},
      {"create_close", create_close},
      {"own_values", own_values},
      {"chaos", chaos},
  };
  const double seconds = count > 1 ? std::atof(arguments[1]) : 6;
  const char *wanted = count > 2 ? arguments[2] : nullptr;
  int ran = 0;
  // Before there are threads, which a fork would lose. Only the CPU's devices start any.
  char description[1 << 16] = "";
  gapcam_backend_describe(description, sizeof description, nullptr, nullptr);
  if (std::strstr(description, "\"backend\": \"cpu\"")) few_threads();
  for (const auto &[name, body] : cases) {
    if (wanted && std::strcmp(wanted, name) != 0) continue;
    calls = good_calls = 0;
    body(wanted ? seconds : seconds / static_cast<double>(std::size(cases)));
    if (gapcam_live_bytes() != 0) {
      fail(std::string(name) + " leaves " + std::to_string(gapcam_live_bytes()) + " bytes");
    }
    if (good_calls == 0) fail(std::string(name) + " did nothing");
    std::printf("%s: %ld calls, %ld of them good\n", name, calls.load(), good_calls.load());
    ran++;
  }
  if (ran == 0) fail("there is no such case");
  std::printf("%s: %d cases, %d failures\n", failures ? "failed" : "passed", ran, failures.load());
  return failures ? 1 : 0;
}
