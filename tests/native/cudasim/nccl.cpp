// libnccl.so.2: ranks are processes of this machine, joined by sockets through rank 0, and every
// operation gathers what all of them send. As NCCL does it waits for a rank that is gone for ever,
// until it is aborted, and tells of it when it is asked for errors.
//
// Faults, of rank NCCLSIM_RANK (any, if it is not set):
//   NCCLSIM_FAIL      a function that fails, or "NAME:n": at its n-th call
//   NCCLSIM_ASYNC     the n-th operation ends with an error that is only told when asked for
//   NCCLSIM_DIE       the n-th operation ends the process
//   NCCLSIM_VERSION   the version, as 21805
//   NCCLSIM_CAPTURE   0: what is called while a stream is captured fails
#include "api/nccl.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "sim.h"

namespace gapcam::cuda::nccl {

#define CUDASIM_DECLARE(name, result, parameters) \
  extern "C" __attribute__((visibility("default"))) result name parameters;
GAPCAM_NCCL_FUNCTIONS(CUDASIM_DECLARE)
#undef CUDASIM_DECLARE

namespace {

constexpr Result unhandled_cuda_error = 1, invalid_argument = 4, invalid_usage = 5;

Result failure_if(bool failed) { return failed ? unhandled_cuda_error : 0; }

// What a rank sends to another within a group, or to all.
struct Send {
  int peer;
  const void *data;
  size_t bytes;
};
struct Receive {
  int peer;
  void *data;
  size_t bytes;
};

}  // namespace

struct CommunicatorObject {
  int rank = 0, size = 1;
  std::vector<int> links;  // rank 0: by rank; else: to rank 0
  std::atomic<bool> aborted{false};
  std::atomic<Result> error{success};
  std::atomic<long long> operations{0};
};

namespace {

std::atomic<int> own_rank{-1};

bool concerned() {
  const long long rank = cudasim::setting("NCCLSIM_RANK", -1);
  return rank < 0 || own_rank < 0 || rank == own_rank;
}

bool fails(const char *name) {
  // Never destroyed: a thread that ends what failed may ask while the process ends.
  static auto &mutex = *new std::mutex;
  static auto &calls = *new std::map<std::string, long long>;
  std::lock_guard lock(mutex);
  const long long call = ++calls[name];
  const char *wanted = std::getenv("NCCLSIM_FAIL");
  if (!wanted || !concerned()) return false;
  const std::string text = wanted, own = name;
  if (text == own) return true;
  return text == own + ":" + std::to_string(call);
}

// Until it has happened or the communicator is aborted; false: it cannot happen any more.
template <class Step>
bool move(CommunicatorObject &joined, int link, short event, size_t bytes, const Step &step) {
  for (size_t done = 0; done < bytes;) {
    pollfd waited{link, event, 0};
    if (joined.aborted) return false;
    if (poll(&waited, 1, 50) <= 0) continue;
    const ssize_t moved = step(done, bytes - done);
    if (moved <= 0) {
      joined.error = remote_error;
      while (!joined.aborted) usleep(10000);
      return false;
    }
    done += static_cast<size_t>(moved);
  }
  return true;
}

bool send_to(CommunicatorObject &joined, int link, const void *data, size_t bytes) {
  return move(joined, link, POLLOUT, bytes, [&](size_t done, size_t rest) {
    return send(link, static_cast<const char *>(data) + done, rest, MSG_NOSIGNAL | MSG_DONTWAIT);
  });
}

bool receive_from(CommunicatorObject &joined, int link, void *data, size_t bytes) {
  return move(joined, link, POLLIN, bytes, [&](size_t done, size_t rest) {
    return recv(link, static_cast<char *>(data) + done, rest, MSG_DONTWAIT);
  });
}

bool send_text(CommunicatorObject &joined, int link, const std::string &text) {
  const uint64_t bytes = text.size();
  return send_to(joined, link, &bytes, sizeof bytes) &&
         send_to(joined, link, text.data(), text.size());
}

bool receive_text(CommunicatorObject &joined, int link, std::string &text) {
  uint64_t bytes = 0;
  if (!receive_from(joined, link, &bytes, sizeof bytes)) return false;
  text.resize(bytes);
  return receive_from(joined, link, text.data(), bytes);
}

// What every rank has, on every rank.
bool gather(CommunicatorObject &joined, const std::string &own, std::vector<std::string> &all) {
  all.assign(static_cast<size_t>(joined.size), "");
  all[static_cast<size_t>(joined.rank)] = own;
  if (joined.rank > 0) {
    if (!send_text(joined, joined.links[0], own)) return false;
    for (std::string &one : all) {
      if (!receive_text(joined, joined.links[0], one)) return false;
    }
    return true;
  }
  for (size_t rank = 1; rank < all.size(); rank++) {
    if (!receive_text(joined, joined.links[rank], all[rank])) return false;
  }
  for (size_t rank = 1; rank < all.size(); rank++) {
    for (const std::string &one : all) {
      if (!send_text(joined, joined.links[rank], one)) return false;
    }
  }
  return true;
}

void append(std::string &text, const void *data, size_t bytes) {
  text.append(static_cast<const char *>(data), bytes);
}

// Runs on the stream: all sends of a rank as "peer, bytes, data", one after another.
void exchange(CommunicatorObject &joined, const std::vector<Send> &sends,
              const std::vector<Receive> &receives) {
  const long long count = ++joined.operations;
  if (concerned()) {
    if (count == cudasim::setting("NCCLSIM_DIE", 0)) _exit(9);
    if (count == cudasim::setting("NCCLSIM_ASYNC", 0)) {
      joined.error = unhandled_cuda_error;
      while (!joined.aborted) usleep(10000);
    }
  }
  std::string own;
  for (const Send &one : sends) {
    append(own, &one.peer, sizeof one.peer);
    append(own, &one.bytes, sizeof one.bytes);
    append(own, one.data, one.bytes);
  }
  std::vector<std::string> all;
  if (!gather(joined, own, all)) return;
  for (const Receive &one : receives) {
    const std::string &from = all[static_cast<size_t>(one.peer)];
    for (size_t at = 0; at < from.size();) {
      int peer = 0;
      size_t bytes = 0;
      std::memcpy(&peer, from.data() + at, sizeof peer);
      std::memcpy(&bytes, from.data() + at + sizeof peer, sizeof bytes);
      at += sizeof peer + sizeof bytes;
      if (peer == joined.rank || peer < 0) {
        // As on a GPU, where sizes that differ are nobody's error but the data's.
        std::memcpy(one.data, from.data() + at, std::min(bytes, one.bytes));
        break;
      }
      at += bytes;
    }
  }
}

Result enqueue(Communicator joined, driver::Stream stream, std::function<void()> work) {
  if (cudasim_captures(stream) && cudasim::setting("NCCLSIM_CAPTURE", 1) == 0) {
    return invalid_usage;
  }
  if (joined->aborted) return invalid_usage;
  return failure_if(cudasim::enqueue(stream, std::move(work)) != 0);
}

// Within a group: what it does, once it ends.
thread_local int depth = 0;
thread_local Communicator grouped = nullptr;
thread_local driver::Stream group_stream = nullptr;
thread_local std::vector<Send> group_sends;
thread_local std::vector<Receive> group_receives;

size_t size_of(DataType type) { return type == type_float32 ? 4 : 1; }

sockaddr_un address_of(const UniqueId &id) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Abstract: gone with its process.
  std::memcpy(address.sun_path + 1, id.internal, 64);
  return address;
}

int door = -1;

}  // namespace

Result ncclGetVersion(int32_t *version) {
  const char *rank = std::getenv("NCCLSIM_RANK");
  // The version is asked for before ranks are known.
  const char *own =
      std::getenv("PMI_RANK") ? std::getenv("PMI_RANK") : std::getenv("OMPI_COMM_WORLD_RANK");
  if (!own) own = std::getenv("RANK");
  if (own) own_rank = std::atoi(own);
  const bool other = rank && own && std::strcmp(rank, own) != 0;
  *version = static_cast<int32_t>(other ? 23007 : cudasim::setting("NCCLSIM_VERSION", 23007));
  return failure_if(fails("ncclGetVersion"));
}

const char *ncclGetErrorString(Result result) {
  return result == remote_error           ? "remote process exited or there was a network error"
         : result == unhandled_cuda_error ? "unhandled cuda error"
         : result == invalid_usage        ? "invalid usage"
                                          : "a simulated error";
}

const char *ncclGetLastError(Communicator) { return ""; }

Result ncclGetUniqueId(UniqueId *id) {
  if (fails("ncclGetUniqueId")) return unhandled_cuda_error;
  std::memset(id->internal, 0, sizeof id->internal);
  std::snprintf(id->internal, sizeof id->internal, "ncclsim-%d", static_cast<int>(getpid()));
  door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(*id);
  const bool bound = bind(door, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
  return failure_if(!bound || listen(door, 64) != 0);
}

Result ncclCommInitRank(Communicator *communicator, int32_t size, UniqueId id, int32_t rank) {
  if (fails("ncclCommInitRank")) return unhandled_cuda_error;
  if (size < 1 || rank < 0 || rank >= size) return invalid_argument;
  auto *joined = new CommunicatorObject;
  joined->rank = rank;
  joined->size = size;
  joined->links.assign(static_cast<size_t>(size), -1);
  if (rank == 0) {
    for (int i = 1; i < size; i++) {
      const int link = accept4(door, nullptr, nullptr, SOCK_CLOEXEC);
      int other = 0;
      if (recv(link, &other, sizeof other, MSG_WAITALL) != sizeof other) return remote_error;
      joined->links[static_cast<size_t>(other)] = link;
    }
    close(door);
  } else {
    const sockaddr_un address = address_of(id);
    const int link = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(link, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
        send(link, &rank, sizeof rank, 0) != sizeof rank) {
      return remote_error;
    }
    joined->links[0] = link;
  }
  *communicator = joined;
  return success;
}

Result ncclCommGetAsyncError(Communicator communicator, Result *error) {
  if (fails("ncclCommGetAsyncError")) return unhandled_cuda_error;
  *error = communicator->error;
  return success;
}

// The object stays: work on a stream may still look at it.
Result ncclCommAbort(Communicator communicator) {
  communicator->aborted = true;
  return failure_if(fails("ncclCommAbort"));
}

Result ncclCommFinalize(Communicator) { return failure_if(fails("ncclCommFinalize")); }

Result ncclCommDestroy(Communicator communicator) {
  for (const int link : communicator->links) {
    if (link >= 0) close(link);
  }
  delete communicator;
  return failure_if(fails("ncclCommDestroy"));
}

Result ncclAllGather(const void *own, void *all, size_t count, DataType type,
                     Communicator communicator, driver::Stream stream) {
  if (fails("ncclAllGather")) return unhandled_cuda_error;
  const size_t bytes = count * size_of(type);
  if (!cudasim_holds(own, bytes) ||
      !cudasim_holds(all, bytes * static_cast<size_t>(communicator->size))) {
    return invalid_argument;
  }
  return enqueue(communicator, stream, [=] {
    std::vector<Receive> receives;
    for (int rank = 0; rank < communicator->size; rank++) {
      receives.push_back(
          {rank, static_cast<char *>(all) + static_cast<size_t>(rank) * bytes, bytes});
    }
    exchange(*communicator, {{-1, own, bytes}}, receives);
  });
}

// In an order of its own: from the last rank to the first.
Result ncclAllReduce(const void *own, void *all, size_t count, DataType type, Operation operation,
                     Communicator communicator, driver::Stream stream) {
  if (fails("ncclAllReduce")) return unhandled_cuda_error;
  const size_t bytes = count * size_of(type);
  if (type != type_float32 || operation != sum || !cudasim_holds(own, bytes) ||
      !cudasim_holds(all, bytes)) {
    return invalid_argument;
  }
  return enqueue(communicator, stream, [=] {
    std::vector<std::vector<float>> parts(static_cast<size_t>(communicator->size),
                                          std::vector<float>(count));
    std::vector<Receive> receives;
    for (int rank = 0; rank < communicator->size; rank++) {
      receives.push_back({rank, parts[static_cast<size_t>(rank)].data(), bytes});
    }
    exchange(*communicator, {{-1, own, bytes}}, receives);
    for (size_t i = 0; i < count; i++) {
      float total = 0.0f;
      for (size_t rank = parts.size(); rank-- > 0;) total += parts[rank][i];
      static_cast<float *>(all)[i] = total;
    }
  });
}

Result ncclSend(const void *data, size_t count, DataType type, int32_t peer,
                Communicator communicator, driver::Stream stream) {
  if (fails("ncclSend")) return unhandled_cuda_error;
  const size_t bytes = count * size_of(type);
  if (depth == 0 || !cudasim_holds(data, bytes)) return invalid_argument;
  grouped = communicator;
  group_stream = stream;
  group_sends.push_back({peer, data, bytes});
  return success;
}

Result ncclRecv(void *data, size_t count, DataType type, int32_t peer, Communicator communicator,
                driver::Stream stream) {
  if (fails("ncclRecv")) return unhandled_cuda_error;
  const size_t bytes = count * size_of(type);
  if (depth == 0 || !cudasim_holds(data, bytes)) return invalid_argument;
  grouped = communicator;
  group_stream = stream;
  group_receives.push_back({peer, data, bytes});
  return success;
}

Result ncclGroupStart() {
  if (fails("ncclGroupStart")) return unhandled_cuda_error;
  depth++;
  return success;
}

Result ncclGroupEnd() {
  if (--depth > 0) return success;
  const std::vector<Send> sends = std::move(group_sends);
  const std::vector<Receive> receives = std::move(group_receives);
  group_sends.clear();
  group_receives.clear();
  if (fails("ncclGroupEnd")) return unhandled_cuda_error;
  if (sends.empty() && receives.empty()) return success;
  return enqueue(grouped, group_stream,
                 [=, joined = grouped] { exchange(*joined, sends, receives); });
}

}  // namespace gapcam::cuda::nccl
