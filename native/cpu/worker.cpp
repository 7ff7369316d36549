#include "worker.h"

#include <omp.h>
#include <pthread.h>

#include <atomic>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "error.h"

namespace gapcam::cpu {

namespace {

// Holds threads until it goes.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;

  static void *pass(void *gate) {
    auto *own = static_cast<Gate *>(gate);
    std::unique_lock lock(own->mutex);
    own->changed.wait(lock, [own] { return own->open; });
    return nullptr;
  }
};

// Throws unless the system lets `wanted` threads be there at once: OpenMP ends the process where it
// cannot start one.
void check_threads(int wanted) {
  Gate gate;
  std::vector<pthread_t> started;
  started.reserve(static_cast<size_t>(wanted));
  int problem = 0;
  while (problem == 0 && started.size() < static_cast<size_t>(wanted)) {
    pthread_t thread;
    problem = pthread_create(&thread, nullptr, Gate::pass, &gate);
    if (problem == 0) started.push_back(thread);
  }
  {
    std::lock_guard lock(gate.mutex);
    gate.open = true;
  }
  gate.changed.notify_all();
  for (const pthread_t thread : started) pthread_join(thread, nullptr);
  if (problem == 0) return;
  throw Error(
      GAPCAM_DEVICE_UNAVAILABLE,
      format("Cannot open the CPU with %d threads: the system starts %zu and then says \"%s\"; ask "
             "for fewer, or raise what limits them (ulimit -u, or the container's pids.max)",
             wanted, started.size(), std::strerror(problem)));
}

}  // namespace

Worker::Worker(int threads) {
  try {
    check_threads(threads);
    thread_ = std::thread([this, threads] { loop(threads); });
  } catch (const std::system_error &error) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                format("Cannot start a thread for the CPU device: %s", error.what()));
  }
  // OpenMP's threads start now, while there are some to be had, and wait for the first program.
  run([] {
    std::atomic<int> started{0};
#pragma omp parallel
    started++;
  });
}

Worker::~Worker() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Worker::run(const std::function<void()> &task) {
  std::unique_lock lock(mutex_);
  task_ = &task;
  wake_.notify_one();
  done_.wait(lock, [this] { return task_ == nullptr; });
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Worker::loop(int threads) {
  omp_set_num_threads(threads);
  omp_set_dynamic(0);
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return task_ != nullptr || stop_; });
    if (!task_) return;
    lock.unlock();
    try {
      (*task_)();
    } catch (...) {
      failure_ = std::current_exception();
    }
    lock.lock();
    task_ = nullptr;
    done_.notify_one();
  }
}

}  // namespace gapcam::cpu
