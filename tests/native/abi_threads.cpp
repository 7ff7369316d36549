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
#include "abi_threads.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

using namespace abi_threads;

namespace {

// Threads write a tensor that another destroys, while a program keeps the device busy.
void write_destroy(double seconds, uint32_t flags) {
  const gapcam_handle device = open_device();
  const gapcam_handle x = make_tensor(device, {4, 64, 16, 16});
  gapcam_handle program = 0, y = 0;
  expect(gapcam_program_create(device, 0, &program, nullptr), "program_create");
  expect(gapcam_program_unary(program, x, GAPCAM_LEAKY_RELU, 0.5f, 0.0f, &y, nullptr),
         "leaky_relu");
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
        check(gapcam_program_unary(program, foreign, GAPCAM_LEAKY_RELU, 0.5f, 0.0f, &out, nullptr),
              "leaky_relu");
      }
    });
  }
  crowd.add(4, [&](auto &) {
    gapcam_handle program = 0, made = 0;
    expect(gapcam_program_create(device, 0, &program, nullptr), "program_create");
    expect(gapcam_program_unary(program, x, GAPCAM_LEAKY_RELU, 0.5f, 0.0f, &made, nullptr),
           "leaky_relu");
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
    check(gapcam_program_unary(program, x, GAPCAM_LEAKY_RELU, 0.5f, 0.0f, &y, nullptr),
          "leaky_relu");
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
    expect(gapcam_program_conv2d(program, x, weight, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1,
                                 GAPCAM_LEAKY_RELU, 1.0f, 0.0f, &map, nullptr),
           "conv2d");
    expect(gapcam_program_unary(program, map, GAPCAM_LEAKY_RELU, 0.25f, 0.0f, &y, nullptr),
           "leaky_relu");
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
