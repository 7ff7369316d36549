// Ranks that a transport joins. One thread makes all of its calls, so that a rank that waits for
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
#include "transport.h"
#include "watch.h"

namespace gapcam {

class RankCommunicator : public Communicator {
 public:
  // Starts the transport, and watches over the ranks.
  explicit RankCommunicator(std::shared_ptr<Transport> transport);
  // Leaves without the others' consent; leave() comes first.
  ~RankCommunicator() override;

  void all_gather(const void *own, void *all, size_t bytes) override;
  void broadcast(void *data, size_t bytes, int root) override;
  void sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) override;
  // Waits for all ranks first.
  void leave() override;
  void fail(const std::string &reason) override;
  std::string wait_for_failure() override;
  std::string describe() const override;

 private:
  struct Task;
  struct Shared;

  void learn_hosts();
  void join_watch();
  static void loop(const std::shared_ptr<Shared> &shared);
  std::shared_ptr<Task> enqueue(std::function<void()> body);
  void call(std::function<void()> body);
  void stop();
  [[noreturn]] void refuse() const;

  const std::shared_ptr<Transport> transport_;
  const std::shared_ptr<Shared> shared_;  // with the thread, which may outlive this object
  std::thread thread_;
  bool stuck_ = false;  // the thread does not come back
  int local_rank_ = 0, local_size_ = 1, hosts_ = 1, threads_ = 1;
  std::unique_ptr<Watch> watch_;
};

}  // namespace gapcam
