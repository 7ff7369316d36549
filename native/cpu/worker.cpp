#include "worker.h"

#include <omp.h>

#include <system_error>
#include <utility>

#include "error.h"

namespace gapcam::cpu {

Worker::Worker(int threads) {
  try {
    thread_ = std::thread([this, threads] { loop(threads); });
  } catch (const std::system_error &error) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                format("Cannot start a thread for the CPU device: %s", error.what()));
  }
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
