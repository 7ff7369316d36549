// Tells the ranks of a run of each other's end. An MPI library waits for a rank that died for ever,
// or has its launcher end the others without a word; so each rank holds a connection to rank 0 and
// says every second that it lives. Nothing of the training goes over these.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gapcam {

// A connection that may be waited for: its file descriptor, and what has arrived of a message.
struct WatchLink {
  int socket = -1;
  int rank = -1;
  std::string name;  // "rank 2 (process 123 on host)"
  std::string arrived;
  std::chrono::steady_clock::time_point heard;
  bool ended = false;  // it said goodbye
};

class Watch {
 public:
  Watch(int rank, int size, std::string name);
  ~Watch();
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;

  // Rank 0: opens a door. What the others must know to find it.
  std::string open_door();
  // All ranks, rank 0 with an empty address: connects. Throws where a rank cannot be reached.
  void join(const std::string &address);
  // From now on: calls `on_failure` once, on a thread of its own, with why the run cannot go on.
  void start(std::function<void(const std::string &)> on_failure);

  // Tells the others that this rank cannot go on, and waits a moment until they know.
  void fail(const std::string &reason);
  // Says goodbye: that a rank ends is no failure any more.
  void leave();

 private:
  void accept_all();
  void connect_to(const std::string &address);
  void loop();
  void read_from(WatchLink &link);
  void handle(WatchLink &link, char kind, const std::string &text);
  void conclude(const std::string &sentence);

  const int rank_, size_;
  const std::string name_;
  std::string token_;
  int door_ = -1, wake_[2] = {-1, -1};
  std::vector<WatchLink> links_;  // rank 0: to all others; else: to rank 0
  std::function<void(const std::string &)> on_failure_;
  std::thread thread_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::string reason_;  // why this rank cannot go on
  bool concluded_ = false, leaving_ = false;
};

}  // namespace gapcam
