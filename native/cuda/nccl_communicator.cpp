#include "nccl_communicator.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "communication/sockets.h"
#include "error.h"

namespace gapcam::cuda {

namespace {

using std::chrono::milliseconds;

// How long a better reason is waited for than a library has that noticed something.
constexpr milliseconds patience{2000};

// What ranks tell each other of what they would join.
struct Member {
  char host[64], identity[64];
  unsigned char gpu[16];
  int32_t index, version;
  char problem[500];
};

template <size_t Size>
void copy_to(char (&target)[Size], const std::string &text) {
  std::strncpy(target, text.c_str(), Size - 1);
  target[Size - 1] = '\0';
}

}  // namespace

struct NcclCommunicator::State {
  const NcclLibrary *nccl;
  std::weak_ptr<Gpu> gpu;
  std::shared_ptr<Communicator> ranks;
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  nccl::Communicator joined = nullptr;
  int calls = 0;        // that are in NCCL
  std::string failure;  // why the run cannot go on
  bool ended = false;
};

NcclCommunicator::NcclCommunicator(std::shared_ptr<Gpu> gpu, std::shared_ptr<Communicator> ranks)
    : nccl_(nccl_library()),
      gpu_(std::move(gpu)),
      ranks_(std::move(ranks)),
      state_(std::make_shared<State>()) {
  rank_ = ranks_->rank();
  size_ = ranks_->size();
  state_->nccl = &nccl_;
  state_->gpu = gpu_;
  state_->ranks = ranks_;
  compare_ranks();
  // Waits as long as the ranks are joined at all.
  std::thread([state = state_] {
    const std::string failure = state->ranks->wait_for_failure();
    if (!failure.empty()) interrupt(state, failure);
  }).detach();
  join(share_id());
  errors_ = std::thread([state = state_] { watch_errors(state); });
  try {
    try_out();
  } catch (...) {
    {
      std::lock_guard lock(state_->mutex);
      state_->ended = true;
    }
    state_->changed.notify_all();
    errors_.join();
    throw;
  }
}

NcclCommunicator::~NcclCommunicator() {
  nccl::Communicator joined = nullptr;
  {
    std::lock_guard lock(state_->mutex);
    state_->ended = true;
    joined = std::exchange(state_->joined, nullptr);
  }
  state_->changed.notify_all();
  errors_.join();
  // One that failed was aborted.
  if (!joined) return;
  gpu_->enter_to_free();
  gpu_->driver().cuStreamSynchronize(gpu_->stream());
  nccl_.functions.ncclCommFinalize(joined);
  nccl_.functions.ncclCommDestroy(joined);
}

// ---- The start --------------------------------------------------------------------------------

// All ranks see the same and refuse alike.
void NcclCommunicator::compare_ranks() const {
  Member own{};
  copy_to(own.host, host_name());
  copy_to(own.identity, host_identity());
  gpu_->identify(own.gpu);
  own.index = gpu_->options().index;
  own.version = nccl_.version;
  copy_to(own.problem, nccl_.problem);
  std::vector<Member> all(static_cast<size_t>(size_));
  ranks_->all_gather(&own, all.data(), sizeof own);
  const auto refuse = [&](const std::string &reason) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE, "Cannot join the ranks' GPUs: " + reason);
  };
  for (int rank = 0; rank < size_; rank++) {
    const Member &one = all[static_cast<size_t>(rank)];
    if (one.problem[0]) refuse(format("on rank %d (%s) %s", rank, one.host, one.problem));
    if (one.version != all[0].version) {
      refuse(format("rank %d (%s) has NCCL %s, rank 0 (%s) %s; give all the same version", rank,
                    one.host, nccl_version_text(one.version).c_str(), all[0].host,
                    nccl_version_text(all[0].version).c_str()));
    }
    for (int before = 0; before < rank; before++) {
      const Member &other = all[static_cast<size_t>(before)];
      if (std::strcmp(one.identity, other.identity) != 0 ||
          std::memcmp(one.gpu, other.gpu, sizeof one.gpu) != 0) {
        continue;
      }
      refuse(
          format("ranks %d and %d both have GPU %d of %s, expected one for each; start as many "
                 "ranks on a host as it has GPUs",
                 before, rank, one.index, one.host));
    }
  }
}

nccl::UniqueId NcclCommunicator::share_id() const {
  struct {
    nccl::UniqueId id;
    char problem[300];
  } shared{};
  if (rank_ == 0) {
    gpu_->enter();
    const nccl::Result result = nccl_.functions.ncclGetUniqueId(&shared.id);
    if (result != nccl::success) {
      copy_to(shared.problem,
              format("NCCL of rank 0 reports %s (%s)", nccl_.functions.ncclGetErrorString(result),
                     nccl_.functions.ncclGetLastError(nullptr)));
    }
  }
  ranks_->broadcast(&shared, sizeof shared, 0);
  if (shared.problem[0]) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                format("Cannot join the ranks' GPUs: %s", shared.problem));
  }
  return shared.id;
}

// On a thread of its own: NCCL waits for a rank that died for ever.
void NcclCommunicator::join(const nccl::UniqueId &id) {
  struct Start {
    nccl::Result result = nccl::success;
    bool done = false;
  };
  const auto start = std::make_shared<Start>();
  std::thread([=, state = state_, gpu = gpu_, rank = rank_, size = size_] {
    gpu->enter_to_free();
    nccl::Communicator joined = nullptr;
    const nccl::Result result = state->nccl->functions.ncclCommInitRank(&joined, size, id, rank);
    {
      std::lock_guard lock(state->mutex);
      start->result = result;
      start->done = true;
      if (result == nccl::success) state->joined = joined;
    }
    state->changed.notify_all();
  }).detach();
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return start->done || !state_->failure.empty(); });
  if (!state_->failure.empty()) throw Error(GAPCAM_RANK_FAILED, state_->failure);
  lock.unlock();
  check(start->result, "join the ranks' GPUs");
}

// That what each rank sends arrives, before anything is trained with it.
void NcclCommunicator::try_out() const {
  gpu_->enter();
  const auto count = static_cast<size_t>(size_);
  const Block own(gpu_, sizeof(float) * count, "a trial of NCCL"),
      all(gpu_, sizeof(float) * count, "a trial of NCCL");
  std::vector<float> numbers(count);
  for (size_t i = 0; i < count; i++) numbers[i] = static_cast<float>(count * rank_ + i);
  const driver::Functions &driver = gpu_->driver();
  const char *action = "try NCCL out";
  const size_t bytes = count * sizeof(float);
  gpu_->check(driver.cuMemcpyHtoDAsync_v2(own.address(), numbers.data(), bytes, gpu_->stream()),
              action);
  exchange(own.address(), all.address(), 1);
  std::vector<float> arrived(count);
  gpu_->check(driver.cuMemcpyDtoHAsync_v2(arrived.data(), all.address(), bytes, gpu_->stream()),
              action);
  gpu_->synchronise(action);
  for (size_t i = 0; i < count; i++) {
    if (arrived[i] == static_cast<float>(count * i + static_cast<size_t>(rank_))) continue;
    throw Error(GAPCAM_DEVICE_FAILED,
                format("Cannot join the ranks' GPUs: what rank %zu sent to rank %d arrived as %g",
                       i, rank_, static_cast<double>(arrived[i])));
  }
}

// ---- Failures ---------------------------------------------------------------------------------

void NcclCommunicator::check(nccl::Result result, const char *action) const {
  if (result == nccl::success) return;
  const char *more = nccl_.functions.ncclGetLastError(nullptr);
  const std::string message =
      format("Cannot %s: NCCL reports %s%s%s", action, nccl_.functions.ncclGetErrorString(result),
             more && *more ? ": " : "", more ? more : "");
  // What happened to another rank says more.
  std::unique_lock lock(state_->mutex);
  if (result == nccl::remote_error) {
    state_->changed.wait_for(lock, patience, [&] { return !state_->failure.empty(); });
  }
  if (!state_->failure.empty()) throw Error(GAPCAM_RANK_FAILED, state_->failure);
  throw Error(GAPCAM_DEVICE_FAILED, message);
}

// What waits for another rank, on the GPU or in NCCL, ends.
void NcclCommunicator::interrupt(const std::shared_ptr<State> &state, const std::string &sentence) {
  std::unique_lock lock(state->mutex);
  if (state->ended || !state->failure.empty()) return;
  state->failure = sentence;
  const std::shared_ptr<Gpu> gpu = state->gpu.lock();
  if (gpu) gpu->interrupt(sentence);
  state->changed.notify_all();
  // Most calls return by themselves; one that waits for a rank is ended by the abort.
  state->changed.wait_for(lock, milliseconds(500), [&] { return state->calls == 0; });
  const nccl::Communicator joined = std::exchange(state->joined, nullptr);
  lock.unlock();
  if (!joined || !gpu) return;
  gpu->enter_to_free();
  state->nccl->functions.ncclCommAbort(joined);
}

void NcclCommunicator::watch_errors(const std::shared_ptr<State> &state) {
  std::unique_lock lock(state->mutex);
  const auto over = [&] { return state->ended || !state->failure.empty(); };
  while (!state->changed.wait_for(lock, milliseconds(200), over)) {
    nccl::Result error = nccl::success;
    const nccl::Result asked = state->nccl->functions.ncclCommGetAsyncError(state->joined, &error);
    if (asked != nccl::success) error = asked;
    if (error == nccl::success || error == nccl::in_progress) continue;
    // Of another rank's end the watch over the ranks knows more.
    if (error == nccl::remote_error && state->changed.wait_for(lock, patience, over)) return;
    const std::string reason =
        format("NCCL reports %s", state->nccl->functions.ncclGetErrorString(error));
    lock.unlock();
    try {
      state->ranks->fail(reason);
    } catch (const Error &) {
      // They know already.
    }
    lock.lock();
    if (state->changed.wait_for(lock, patience, over)) return;
    lock.unlock();
    return interrupt(state, "Cannot go on: " + reason);
  }
}

// ---- Data -------------------------------------------------------------------------------------

template <class Call>
void NcclCommunicator::enqueue(const char *action, const Call &call) const {
  std::unique_lock lock(state_->mutex);
  if (!state_->failure.empty()) throw Error(GAPCAM_RANK_FAILED, state_->failure);
  const nccl::Communicator joined = state_->joined;
  state_->calls++;
  lock.unlock();
  const nccl::Result result = call(joined);
  lock.lock();
  state_->calls--;
  state_->changed.notify_all();
  lock.unlock();
  check(result, action);
}

void NcclCommunicator::gather(driver::Pointer own, driver::Pointer all, size_t bytes) const {
  enqueue("gather from all ranks", [&](nccl::Communicator joined) {
    return nccl_.functions.ncclAllGather(reinterpret_cast<const void *>(own),
                                         reinterpret_cast<void *>(all), bytes, nccl::type_uint8,
                                         joined, gpu_->stream());
  });
}

void NcclCommunicator::exchange(driver::Pointer own, driver::Pointer all, size_t count) const {
  enqueue("send each rank its part", [&](nccl::Communicator joined) {
    const nccl::Functions &nccl = nccl_.functions;
    nccl::Result result = nccl.ncclGroupStart();
    if (result != nccl::success) return result;
    for (int other = 0; other < size_ && result == nccl::success; other++) {
      const size_t offset = static_cast<size_t>(other) * count * sizeof(float);
      result = nccl.ncclSend(reinterpret_cast<const void *>(own + offset), count,
                             nccl::type_float32, other, joined, gpu_->stream());
      if (result != nccl::success) break;
      result = nccl.ncclRecv(reinterpret_cast<void *>(all + offset), count, nccl::type_float32,
                             other, joined, gpu_->stream());
    }
    const nccl::Result ended = nccl.ncclGroupEnd();
    return result == nccl::success ? ended : result;
  });
}

void NcclCommunicator::sum(driver::Pointer data, size_t count) const {
  enqueue("sum over all ranks", [&](nccl::Communicator joined) {
    return nccl_.functions.ncclAllReduce(reinterpret_cast<const void *>(data),
                                         reinterpret_cast<void *>(data), count, nccl::type_float32,
                                         nccl::sum, joined, gpu_->stream());
  });
}

void NcclCommunicator::all_gather(const void *own, void *all, size_t bytes) {
  ranks_->all_gather(own, all, bytes);
}

void NcclCommunicator::broadcast(void *data, size_t bytes, int root) {
  ranks_->broadcast(data, bytes, root);
}

void NcclCommunicator::sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) {
  ranks_->sum(numbers, fast);
}

void NcclCommunicator::fail(const std::string &reason) { ranks_->fail(reason); }

std::string NcclCommunicator::wait_for_failure() { return ranks_->wait_for_failure(); }

std::string NcclCommunicator::describe() const { return ranks_->describe(); }

}  // namespace gapcam::cuda
