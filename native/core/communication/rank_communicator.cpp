#include "rank_communicator.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <set>

#include "error.h"
#include "json.h"
#include "sockets.h"

namespace gapcam {

namespace {

// How long a library may take to end once all ranks are about to. MPICH 4.0 over UCX and TCP was
// seen not to come back: one rank closes its connections, which takes the help of another that has
// closed its own and waits for all without looking at them.
constexpr std::chrono::seconds longest_end{5};

// What ranks tell each other of where they run.
struct Place {
  char identity[64];
  char host[64];
  cpu_set_t processors;
};

template <size_t Size>
void copy_to(char (&target)[Size], const std::string &text) {
  std::strncpy(target, text.c_str(), Size - 1);
  target[Size - 1] = '\0';
}

}  // namespace

// A call for the thread.
struct RankCommunicator::Task {
  std::function<void()> body;
  std::exception_ptr problem;
  bool done = false;
};

struct RankCommunicator::Shared {
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<std::shared_ptr<Task>> queue;
  bool stop = false, left = false;
  std::string failure;  // why the run cannot go on
};

RankCommunicator::RankCommunicator(std::shared_ptr<Transport> transport)
    : transport_(std::move(transport)), shared_(std::make_shared<Shared>()) {
  thread_ = std::thread([shared = shared_] { loop(shared); });
  try {
    call([this] { transport_->start(rank_, size_); });
    if (size_ == 1) return;
    learn_hosts();
    join_watch();
  } catch (...) {
    stop();
    thread_.detach();
    throw;
  }
}

RankCommunicator::~RankCommunicator() {
  watch_.reset();
  stop();
  // Without a failure nothing holds it up; after one it may wait for a rank that is gone.
  if (shared_->failure.empty() && !stuck_) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void RankCommunicator::stop() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->stop = true;
  }
  shared_->changed.notify_all();
}

void RankCommunicator::learn_hosts() {
  Place own{};
  copy_to(own.identity, host_identity());
  copy_to(own.host, host_name());
  CPU_ZERO(&own.processors);
  sched_getaffinity(0, sizeof own.processors, &own.processors);
  std::vector<Place> all(static_cast<size_t>(size_));
  all_gather(&own, all.data(), sizeof own);
  std::set<std::string> identities;
  local_size_ = 0;
  for (int other = 0; other < size_; other++) {
    const Place &place = all[static_cast<size_t>(other)];
    identities.insert(place.identity);
    if (std::strcmp(place.identity, own.identity) != 0) continue;
    local_size_++;
    if (other < rank_) local_rank_++;
  }
  hosts_ = static_cast<int>(identities.size());
  // A processor counts for each rank that may use it as much as for the others: ranks that a
  // launcher bound have theirs alone, others share all.
  double share = 0;
  for (int processor = 0; processor < CPU_SETSIZE; processor++) {
    if (!CPU_ISSET(processor, &own.processors)) continue;
    int users = 0;
    for (const Place &place : all) {
      users +=
          std::strcmp(place.identity, own.identity) == 0 && CPU_ISSET(processor, &place.processors);
    }
    share += 1.0 / std::max(1, users);
  }
  threads_ = std::max(1, static_cast<int>(share + 1e-6));
}

void RankCommunicator::join_watch() {
  const std::string name =
      format("rank %d (process %d on %s)", rank_, static_cast<int>(getpid()), host_name().c_str());
  watch_ = std::make_unique<Watch>(rank_, size_, name);
  char address[1024] = "";
  if (rank_ == 0) copy_to(address, watch_->open_door());
  broadcast(address, sizeof address, 0);
  watch_->join(address);
  watch_->start([shared = shared_](const std::string &sentence) {
    {
      std::lock_guard lock(shared->mutex);
      shared->failure = sentence;
    }
    shared->changed.notify_all();
  });
}

// ---- The thread -------------------------------------------------------------------------------

void RankCommunicator::loop(const std::shared_ptr<Shared> &shared) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(lock, [&] { return !shared->queue.empty() || shared->stop; });
    if (shared->queue.empty()) return;
    const std::shared_ptr<Task> task = shared->queue.front();
    shared->queue.pop_front();
    lock.unlock();
    try {
      task->body();
    } catch (...) {
      task->problem = std::current_exception();
    }
    lock.lock();
    task->done = true;
    shared->changed.notify_all();
  }
}

// `body` holds all that it works on: who waits in vain goes on, and their data with them.
std::shared_ptr<RankCommunicator::Task> RankCommunicator::enqueue(std::function<void()> body) {
  const auto task = std::make_shared<Task>();
  task->body = std::move(body);
  std::lock_guard lock(shared_->mutex);
  if (!shared_->failure.empty()) refuse();
  if (shared_->left) {
    throw Error(GAPCAM_INVALID_HANDLE, "Cannot use a communicator: it was closed");
  }
  shared_->queue.push_back(task);
  shared_->changed.notify_all();
  return task;
}

void RankCommunicator::call(std::function<void()> body) {
  const auto task = enqueue(std::move(body));
  std::unique_lock lock(shared_->mutex);
  const std::string &failure = shared_->failure;
  shared_->changed.wait(lock, [&] { return task->done || !failure.empty(); });
  if (!task->done) refuse();
  if (!task->problem) return;
  // A library that noticed says less than the watch will.
  if (watch_) {
    shared_->changed.wait_for(lock, std::chrono::seconds(2), [&] { return !failure.empty(); });
  }
  if (!failure.empty()) refuse();
  std::rethrow_exception(task->problem);
}

void RankCommunicator::refuse() const {
  throw Error(GAPCAM_RANK_FAILED,
              format("Cannot go on with %d ranks: %s", size_, shared_->failure.c_str()));
}

// ---- Data -------------------------------------------------------------------------------------

void RankCommunicator::all_gather(const void *own, void *all, size_t bytes) {
  const auto given = std::make_shared<std::vector<char>>(static_cast<const char *>(own),
                                                         static_cast<const char *>(own) + bytes);
  const auto gathered = std::make_shared<std::vector<char>>(bytes * static_cast<size_t>(size_));
  call([=, transport = transport_] { transport->gather(given->data(), gathered->data(), bytes); });
  std::memcpy(all, gathered->data(), gathered->size());
}

void RankCommunicator::broadcast(void *data, size_t bytes, int root) {
  auto *begin = static_cast<char *>(data);
  const auto sent = std::make_shared<std::vector<char>>(begin, begin + bytes);
  call([=, transport = transport_] { transport->broadcast(sent->data(), bytes, root); });
  std::memcpy(begin, sent->data(), bytes);
}

void RankCommunicator::sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) {
  call([=, transport = transport_] { transport->sum(*numbers, fast); });
}

// ---- The end ----------------------------------------------------------------------------------

void RankCommunicator::leave() {
  if (size_ > 1) call([transport = transport_] { transport->barrier(); });
  if (watch_) watch_->leave();
  const auto end = enqueue([transport = transport_] { transport->finish(); });
  std::unique_lock lock(shared_->mutex);
  stuck_ = !shared_->changed.wait_for(lock, longest_end, [&] { return end->done; });
  shared_->left = true;
  shared_->changed.notify_all();
  if (end->problem) std::rethrow_exception(end->problem);
}

void RankCommunicator::fail(const std::string &reason) {
  if (watch_) watch_->fail(reason);
}

std::string RankCommunicator::wait_for_failure() {
  std::unique_lock lock(shared_->mutex);
  const std::string &failure = shared_->failure;
  shared_->changed.wait(lock, [&] { return shared_->left || !failure.empty(); });
  return failure.empty() ? "" : format("Cannot go on with %d ranks: %s", size_, failure.c_str());
}

std::string RankCommunicator::describe() const {
  return format(
      "{\"rank\": %d, \"size\": %d, \"localRank\": %d, \"localSize\": %d, \"hosts\": %d, "
      "\"threads\": %d, \"host\": %s, %s}",
      rank_, size_, local_rank_, local_size_, hosts_, threads_, quoted(host_name()).c_str(),
      transport_->describe().c_str());
}

}  // namespace gapcam
