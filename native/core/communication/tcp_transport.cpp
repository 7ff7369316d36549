#include "tcp_transport.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "error.h"
#include "sockets.h"

namespace gapcam {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Ports that rank 0 may be at, from the run's own: something else may listen there.
constexpr int ports = 16;
// How long ranks are waited for at the start; later the watch over the ranks ends a wait.
constexpr milliseconds start_time{60000};
constexpr int no_end = 1 << 30;

}  // namespace

struct TcpTransport::Greeting {
  char magic[16];
  char run[64];
  int32_t rank, size;
};

TcpTransport::~TcpTransport() { finish(); }

TcpTransport::Greeting TcpTransport::greeting() const {
  Greeting own{};
  std::strncpy(own.magic, "gapcam ranks 1", sizeof own.magic - 1);
  std::strncpy(own.run, run_.name.c_str(), sizeof own.run - 1);
  own.rank = run_.rank;
  own.size = run_.size;
  return own;
}

bool TcpTransport::knows(const Greeting &other) const {
  const Greeting own = greeting();
  return std::memcmp(own.magic, other.magic, sizeof own.magic) == 0 &&
         std::memcmp(own.run, other.run, sizeof own.run) == 0 && own.size == other.size;
}

void TcpTransport::start(int &rank, int &size) {
  links_.assign(static_cast<size_t>(run_.size), -1);
  if (run_.rank == 0) {
    accept_all();
  } else {
    connect_to_first();
  }
  rank = run_.rank;
  size = run_.size;
}

void TcpTransport::accept_all() {
  if (run_.size == 1) return;
  int door = -1;
  for (int i = 0; i < ports && door < 0; i++) door = listen_at(run_.port + i);
  if (door < 0) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                format("Cannot join the ranks: TCP ports %d to %d are taken on %s", run_.port,
                       run_.port + ports - 1, host_name().c_str()));
  }
  const Greeting own = greeting();
  const std::string said(reinterpret_cast<const char *>(&own), sizeof own);
  const Clock::time_point end = Clock::now() + start_time;
  for (int missing = run_.size - 1; missing > 0;) {
    const auto rest = std::chrono::duration_cast<milliseconds>(end - Clock::now()).count();
    const int made = rest > 0 ? accept_within(door, static_cast<int>(rest)) : -1;
    if (made < 0) {
      close(door);
      throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                  format("Cannot join the ranks: %d of %d reached rank 0 within %lld seconds; let "
                         "TCP pass between the hosts",
                         run_.size - 1 - missing, run_.size - 1,
                         static_cast<long long>(start_time.count() / 1000)));
    }
    Greeting other{};
    // Whoever else knocks is of no concern.
    if (!receive_all(made, reinterpret_cast<char *>(&other), sizeof other, 2000) || !knows(other) ||
        other.rank < 1 || other.rank >= run_.size || links_[static_cast<size_t>(other.rank)] >= 0 ||
        !send_all(made, said, 2000)) {
      close(made);
      continue;
    }
    links_[static_cast<size_t>(other.rank)] = made;
    missing--;
  }
  close(door);
}

void TcpTransport::connect_to_first() {
  const Greeting own = greeting();
  const std::string said(reinterpret_cast<const char *>(&own), sizeof own);
  std::string problem = "nobody answers";
  const Clock::time_point end = Clock::now() + start_time;
  while (Clock::now() < end) {
    for (int i = 0; i < ports; i++) {
      const int made = connect_to_address(run_.address, run_.port + i, 2000, problem);
      if (made < 0) continue;
      Greeting first{};
      if (send_all(made, said, 2000) &&
          receive_all(made, reinterpret_cast<char *>(&first), sizeof first, 2000) && knows(first) &&
          first.rank == 0) {
        links_[0] = made;
        return;
      }
      problem = "another process is there";
      close(made);
    }
    std::this_thread::sleep_for(milliseconds(100));
  }
  throw Error(GAPCAM_DEVICE_UNAVAILABLE,
              format("Cannot join the ranks: rank %d cannot reach rank 0 at %s, port %d (%s); let "
                     "TCP pass between the hosts",
                     run_.rank, run_.address.c_str(), run_.port, problem.c_str()));
}

void TcpTransport::send(int rank, const void *data, size_t bytes) const {
  const std::string sent(static_cast<const char *>(data), bytes);
  if (send_all(links_[static_cast<size_t>(rank)], sent, no_end)) return;
  throw Error(GAPCAM_RANK_FAILED, format("Cannot send to rank %d: its connection ended", rank));
}

void TcpTransport::receive(int rank, void *data, size_t bytes) const {
  const int link = links_[static_cast<size_t>(rank)];
  if (receive_all(link, static_cast<char *>(data), bytes, no_end)) return;
  throw Error(GAPCAM_RANK_FAILED,
              format("Cannot receive from rank %d: its connection ended", rank));
}

void TcpTransport::gather(const void *own, void *all, size_t bytes) {
  const auto size = static_cast<size_t>(run_.size);
  auto *parts = static_cast<char *>(all);
  if (run_.rank > 0) {
    send(0, own, bytes);
    return receive(0, all, bytes * size);
  }
  std::memcpy(parts, own, bytes);
  for (int rank = 1; rank < run_.size; rank++) {
    receive(rank, parts + static_cast<size_t>(rank) * bytes, bytes);
  }
  for (int rank = 1; rank < run_.size; rank++) send(rank, all, bytes * size);
}

void TcpTransport::broadcast(void *data, size_t bytes, int root) {
  if (run_.rank > 0) {
    if (run_.rank == root) return send(0, data, bytes);
    return receive(0, data, bytes);
  }
  if (root > 0) receive(root, data, bytes);
  for (int rank = 1; rank < run_.size; rank++) {
    if (rank != root) send(rank, data, bytes);
  }
}

void TcpTransport::sum(std::vector<float> &, bool) {
  throw Error(GAPCAM_UNSUPPORTED,
              "Cannot sum the gradients of CPUs without MPI; start the ranks with mpirun");
}

void TcpTransport::barrier() {
  const char own = 0;
  std::vector<char> all(static_cast<size_t>(run_.size));
  gather(&own, all.data(), 1);
}

void TcpTransport::finish() {
  for (int &link : links_) {
    if (link >= 0) close(link);
    link = -1;
  }
}

std::string TcpTransport::describe() const {
  return "\"library\": \"TCP\", \"version\": \"no MPI\", \"abi\": \"tcp\"";
}

}  // namespace gapcam
