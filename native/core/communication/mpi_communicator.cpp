#include "mpi_communicator.h"

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

// What fits an int, which is how MPI counts.
constexpr size_t most_bytes_at_once = size_t{1} << 30;

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
struct MpiCommunicator::Task {
  std::function<void()> body;
  std::exception_ptr problem;
  bool done = false;
};

MpiCommunicator::MpiCommunicator() : mpi_(mpi_library()) {
  if (!mpi_.problem.empty()) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE, "Cannot join the ranks: " + mpi_.problem);
  }
  thread_ = std::thread([this] { loop(); });
  try {
    call([this] { start(); });
    if (size_ == 1) return;
    learn_hosts();
    join_watch();
  } catch (...) {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.detach();
    throw;
  }
}

MpiCommunicator::~MpiCommunicator() {
  watch_.reset();
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  // Without a failure nothing holds it up; after one it may wait for a rank that is gone.
  if (failure_.empty()) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void MpiCommunicator::start() {
  int begun = 0, ended = 0, provided = 0;
  check(mpi_.MPI_Initialized(&begun), "ask whether MPI runs");
  check(mpi_.MPI_Finalized(&ended), "ask whether MPI ended");
  if (ended) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                "Cannot join the ranks: MPI ended in this process, and starts once in each");
  }
  if (!begun) {
    check(mpi_.MPI_Init_thread(nullptr, nullptr, mpi_.thread_funneled, &provided), "start MPI");
  }
  // Errors are told, instead of ending the process.
  check(mpi_.MPI_Comm_set_errhandler(mpi_.world, mpi_.errors_return), "set MPI's error handler");
  check(mpi_.MPI_Comm_rank(mpi_.world, &rank_), "ask MPI for the rank");
  check(mpi_.MPI_Comm_size(mpi_.world, &size_), "ask MPI for the number of ranks");
}

void MpiCommunicator::learn_hosts() {
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

void MpiCommunicator::join_watch() {
  const std::string name =
      format("rank %d (process %d on %s)", rank_, static_cast<int>(getpid()), host_name().c_str());
  watch_ = std::make_unique<Watch>(rank_, size_, name);
  char address[1024] = "";
  if (rank_ == 0) copy_to(address, watch_->open_door());
  broadcast(address, sizeof address, 0);
  watch_->join(address);
  watch_->start([this](const std::string &sentence) {
    {
      std::lock_guard lock(mutex_);
      failure_ = sentence;
    }
    changed_.notify_all();
  });
}

// ---- The thread -------------------------------------------------------------------------------

void MpiCommunicator::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !queue_.empty() || stop_; });
    if (queue_.empty()) return;
    const std::shared_ptr<Task> task = queue_.front();
    queue_.pop_front();
    lock.unlock();
    try {
      task->body();
    } catch (...) {
      task->problem = std::current_exception();
    }
    lock.lock();
    task->done = true;
    changed_.notify_all();
  }
}

// `body` holds all that it works on: who waits in vain goes on, and their data with them.
void MpiCommunicator::call(std::function<void()> body) {
  const auto task = std::make_shared<Task>();
  task->body = std::move(body);
  std::unique_lock lock(mutex_);
  if (!failure_.empty()) refuse();
  if (left_) throw Error(GAPCAM_INVALID_HANDLE, "Cannot use a communicator: it was closed");
  queue_.push_back(task);
  changed_.notify_all();
  changed_.wait(lock, [&] { return task->done || !failure_.empty(); });
  if (!task->done) refuse();
  if (!task->problem) return;
  // A library that noticed says less than the watch will.
  if (watch_) changed_.wait_for(lock, std::chrono::seconds(2), [&] { return !failure_.empty(); });
  if (!failure_.empty()) refuse();
  std::rethrow_exception(task->problem);
}

void MpiCommunicator::refuse() const {
  throw Error(GAPCAM_RANK_FAILED,
              format("Cannot go on with %d ranks: %s", size_, failure_.c_str()));
}

void MpiCommunicator::check(int code, const char *action) const {
  if (code == 0) return;
  char text[1024] = "";
  int length = 0;
  mpi_.MPI_Error_string(code, text, &length);
  std::string reason(text, static_cast<size_t>(std::clamp(length, 0, 1000)));
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  throw Error(GAPCAM_RANK_FAILED,
              format("Cannot %s: %s reports %s", action, mpi_.path.c_str(), reason.c_str()));
}

// ---- Data -------------------------------------------------------------------------------------

void MpiCommunicator::gather_bytes(const void *own, void *all, size_t bytes) {
  const auto count = static_cast<int>(bytes);
  check(mpi_.MPI_Allgather(own, count, mpi_.type_byte, all, count, mpi_.type_byte, mpi_.world),
        "gather from all ranks");
}

void MpiCommunicator::all_gather(const void *own, void *all, size_t bytes) {
  if (bytes * static_cast<size_t>(size_) > most_bytes_at_once) {
    throw Error(GAPCAM_INVALID_ARGUMENT,
                format("Cannot gather %zu bytes of each rank: expected at most %zu in all", bytes,
                       most_bytes_at_once));
  }
  const auto given = std::make_shared<std::vector<char>>(static_cast<const char *>(own),
                                                         static_cast<const char *>(own) + bytes);
  const auto gathered = std::make_shared<std::vector<char>>(bytes * static_cast<size_t>(size_));
  call([=] { gather_bytes(given->data(), gathered->data(), bytes); });
  std::memcpy(all, gathered->data(), gathered->size());
}

void MpiCommunicator::broadcast(void *data, size_t bytes, int root) {
  auto *begin = static_cast<char *>(data);
  for (size_t done = 0; done < bytes; done += most_bytes_at_once) {
    const size_t count = std::min(most_bytes_at_once, bytes - done);
    const auto sent = std::make_shared<std::vector<char>>(begin + done, begin + done + count);
    call([=] {
      check(mpi_.MPI_Bcast(sent->data(), static_cast<int>(count), mpi_.type_byte, root, mpi_.world),
            "send to all ranks");
    });
    std::memcpy(begin + done, sent->data(), count);
  }
}

void MpiCommunicator::sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) {
  call([=] {
    if (!fast) return sum_in_order(*numbers);
    summed_.resize(numbers->size());
    check(mpi_.MPI_Allreduce(numbers->data(), summed_.data(), static_cast<int>(numbers->size()),
                             mpi_.type_float, mpi_.sum, mpi_.world),
          "sum over all ranks");
    std::copy(summed_.begin(), summed_.end(), numbers->begin());
  });
}

// Each rank sums one part of the numbers, in the order of ranks, and gives it to all others: as
// many bytes go over the network as around a ring.
void MpiCommunicator::sum_in_order(std::vector<float> &numbers) {
  const auto ranks = static_cast<size_t>(size_);
  const size_t count = numbers.size(), part = (count + ranks - 1) / ranks;
  // What does not divide is filled up with zeros.
  numbers.resize(part * ranks, 0.0f);
  summed_.resize(part * ranks);
  chunks_.resize(part * ranks);
  const auto each = static_cast<int>(part);
  check(mpi_.MPI_Alltoall(numbers.data(), each, mpi_.type_float, chunks_.data(), each,
                          mpi_.type_float, mpi_.world),
        "send each rank its part of the gradients");
  float *sum = chunks_.data();
  for (size_t other = 1; other < ranks; other++) {
    const float *more = chunks_.data() + other * part;
    for (size_t i = 0; i < part; i++) sum[i] += more[i];
  }
  check(mpi_.MPI_Allgather(sum, each, mpi_.type_float, summed_.data(), each, mpi_.type_float,
                           mpi_.world),
        "gather the sums of the gradients");
  std::copy(summed_.begin(), summed_.end(), numbers.begin());
  numbers.resize(count);
}

// ---- The end ----------------------------------------------------------------------------------

void MpiCommunicator::leave() {
  if (size_ > 1) call([this] { check(mpi_.MPI_Barrier(mpi_.world), "wait for all ranks"); });
  if (watch_) watch_->leave();
  call([this] { check(mpi_.MPI_Finalize(), "end MPI"); });
  {
    std::lock_guard lock(mutex_);
    left_ = true;
  }
  changed_.notify_all();
}

void MpiCommunicator::fail(const std::string &reason) {
  if (watch_) watch_->fail(reason);
}

std::string MpiCommunicator::wait_for_failure() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return left_ || !failure_.empty(); });
  return failure_.empty() ? "" : format("Cannot go on with %d ranks: %s", size_, failure_.c_str());
}

std::string MpiCommunicator::describe() const {
  return format(
      "{\"rank\": %d, \"size\": %d, \"localRank\": %d, \"localSize\": %d, \"hosts\": %d, "
      "\"threads\": %d, \"host\": %s, \"library\": %s, \"version\": %s, \"abi\": \"%s\"}",
      rank_, size_, local_rank_, local_size_, hosts_, threads_, quoted(host_name()).c_str(),
      quoted(mpi_.path).c_str(), quoted(mpi_.version).c_str(), name_of(mpi_.abi));
}

}  // namespace gapcam
