// Ranks that an MPI library joins. One thread makes all of its calls, so that a rank that waits for
// one that died can be told, and stops waiting.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "communicator.h"
#include "mpi_library.h"
#include "watch.h"

namespace gapcam {

class MpiCommunicator : public Communicator {
 public:
  // Starts MPI, once a process.
  MpiCommunicator();
  // Leaves without the others' consent; leave() comes first.
  ~MpiCommunicator() override;

  void all_gather(const void *own, void *all, size_t bytes) override;
  void broadcast(void *data, size_t bytes, int root) override;
  void sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) override;

  // Waits for all ranks, and ends MPI.
  void leave();
  // Tells the others why this rank cannot go on.
  void fail(const std::string &reason);
  // Waits until the run cannot go on, and gives why; "" once it was left.
  std::string wait_for_failure();

  std::string describe() const;

 private:
  struct Task;

  void start();
  void learn_hosts();
  void join_watch();
  void loop();
  void call(std::function<void()> body);
  void sum_in_order(std::vector<float> &numbers);
  void gather_bytes(const void *own, void *all, size_t bytes);
  void check(int code, const char *action) const;
  [[noreturn]] void refuse() const;

  const MpiLibrary &mpi_;
  std::string failure_;  // why the run cannot go on
  std::thread thread_;
  mutable std::mutex mutex_;  // guards failure_ and what follows
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> queue_;
  bool stop_ = false, left_ = false;
  std::vector<float> chunks_, summed_;  // the thread's
  int local_rank_ = 0, local_size_ = 1, hosts_ = 1, threads_ = 1;
  std::unique_ptr<Watch> watch_;
};

}  // namespace gapcam
