// What the cases of abi_threads are made of.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gapcam.h"

namespace abi_threads {

using Clock = std::chrono::steady_clock;

constexpr int thread_count = 16;
constexpr int seconds_without_a_call = 60;

inline std::atomic<long> calls{0}, good_calls{0};
inline std::atomic<int> failures{0};

inline void fail(const std::string &what) {
  if (failures++ < 20) std::printf("FAILED: %s\n", what.c_str());
}

// Any clear refusal will do; what must not happen is a failure within the library.
inline int32_t check(int32_t status, const char *what, const char *message = "") {
  calls++;
  if (status == GAPCAM_OK) good_calls++;
  if (status < GAPCAM_OK || status >= GAPCAM_INTERNAL) {
    fail(std::string(what) + " gives status " + std::to_string(status) + ", " + message);
  }
  return status;
}

// For what nothing may refuse.
inline void expect(int32_t status, const char *what) {
  if (check(status, what) != GAPCAM_OK) {
    fail(std::string(what) + " is refused with status " + std::to_string(status));
  }
}

inline gapcam_handle open_device() {
  gapcam_handle device = 0;
  char message[GAPCAM_MESSAGE_BYTES] = "";
  if (gapcam_device_open(0, GAPCAM_PRECISION_F32, 1, 0, &device, message) != GAPCAM_OK) {
    std::printf("FAILED: %s\n", message);
    std::_Exit(1);
  }
  return device;
}

// 0 where it is refused.
inline gapcam_handle make_tensor(gapcam_handle device, const std::vector<int64_t> &shape,
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

// Random calls on random handles, in abi_threads_chaos.cpp.
void chaos(double seconds);

}  // namespace abi_threads
