// One thread per device that runs everything: OpenMP keeps a pool of threads for each thread that
// enters a parallel region, and Deno's calls arrive on many.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace gapcam::cpu {

class Worker {
 public:
  explicit Worker(int threads);
  ~Worker();

  // Runs `task` on the thread, waits for it and rethrows what it threw.
  void run(const std::function<void()> &task);

 private:
  void loop(int threads);

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void()> *task_ = nullptr;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace gapcam::cpu
