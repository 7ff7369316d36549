#include "watch.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "error.h"
#include "sockets.h"

namespace gapcam {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long ranks wait for each other at the start, and how long one may say nothing.
constexpr int join_milliseconds = 30000;
constexpr int silence_seconds = 8;
constexpr int beat_milliseconds = 1000;
constexpr int send_milliseconds = 200;
constexpr size_t head_bytes = 5, most_bytes = 4096;

// What a message is; each has a text, which may be empty.
enum Kind : char { hello = 'h', beat = 'b', failed = 'f', sentence = 's', goodbye = 'g' };

std::string message(char kind, const std::string &text = "") {
  const std::string content = text.substr(0, most_bytes);
  std::string bytes(1, kind);
  for (int shift = 0; shift < 32; shift += 8) {
    bytes += static_cast<char>(content.size() >> shift & 255);
  }
  return bytes + content;
}

size_t length_of(const char *head) {
  size_t length = 0;
  for (int i = 0; i < 4; i++) {
    length |= static_cast<size_t>(static_cast<unsigned char>(head[1 + i])) << (8 * i);
  }
  return length;
}

// One whole message while ranks join; "" if none came.
std::string receive_message(int socket, char kind, int wait) {
  char head[head_bytes];
  if (!receive_all(socket, head, head_bytes, wait) || head[0] != kind) return "";
  const size_t length = length_of(head);
  if (length > most_bytes) return "";
  std::string text(length, '\0');
  return receive_all(socket, text.data(), length, wait) ? text : "";
}

}  // namespace

Watch::Watch(int rank, int size, std::string name)
    : rank_(rank), size_(size), name_(std::move(name)) {}

Watch::~Watch() {
  leave();
  if (thread_.joinable()) thread_.join();
  for (const WatchLink &link : links_) close(link.socket);
  for (const int one : {door_, wake_[0], wake_[1]}) {
    if (one >= 0) close(one);
  }
}

std::string Watch::open_door() {
  int port = 0;
  door_ = listen_anywhere(port);
  token_ = random_token();
  std::string address = format("%s %d", token_.c_str(), port);
  for (const std::string &own : own_addresses()) {
    if (address.size() + own.size() < 1000) address += " " + own;
  }
  return address;
}

void Watch::join(const std::string &address) {
  if (rank_ == 0) {
    accept_all();
  } else {
    connect_to(address);
  }
}

void Watch::accept_all() {
  const Clock::time_point end = Clock::now() + milliseconds(join_milliseconds);
  while (links_.size() + 1 < static_cast<size_t>(size_)) {
    const auto rest = std::chrono::duration_cast<milliseconds>(end - Clock::now()).count();
    const int made = rest > 0 ? accept_within(door_, static_cast<int>(rest)) : -1;
    if (made < 0) {
      throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                  format("Cannot watch over the ranks: %zu of %d reached rank 0 within %d seconds; "
                         "let TCP pass between the hosts",
                         links_.size(), size_ - 1, join_milliseconds / 1000));
    }
    WatchLink link;
    link.socket = made;
    std::istringstream said(receive_message(made, hello, 2000));
    std::string token;
    said >> token >> link.rank;
    // Whoever else knocks is of no concern.
    if (token != token_ || link.rank < 1 || link.rank >= size_) {
      close(made);
      continue;
    }
    said.ignore();
    std::getline(said, link.name);
    send_all(made, message(hello, name_), send_milliseconds);
    links_.push_back(link);
  }
  close(door_);
  door_ = -1;
}

void Watch::connect_to(const std::string &address) {
  std::istringstream known(address);
  int port = 0;
  known >> token_ >> port;
  std::string one, problem = "it has no address", tried;
  while (known >> one) {
    std::string why;
    const int made = connect_to_address(one, port, 3000, why);
    if (made >= 0) {
      // Behind an address of the host itself another process may listen.
      send_all(made, message(hello, format("%s %d %s", token_.c_str(), rank_, name_.c_str())),
               send_milliseconds);
      WatchLink link;
      link.socket = made;
      link.rank = 0;
      link.name = receive_message(made, hello, join_milliseconds);
      if (!link.name.empty()) {
        links_.push_back(link);
        return;
      }
      why = "another process is there";
      close(made);
    }
    tried += (tried.empty() ? "" : ", ") + one;
    problem = why;
  }
  throw Error(GAPCAM_DEVICE_UNAVAILABLE,
              format("Cannot watch over the ranks: rank %d cannot reach rank 0 at %s (%s); let TCP "
                     "pass between the hosts",
                     rank_, tried.c_str(), problem.c_str()));
}

void Watch::start(std::function<void(const std::string &)> on_failure) {
  on_failure_ = std::move(on_failure);
  if (pipe(wake_) != 0) throw Error(GAPCAM_INTERNAL, "Cannot watch over the ranks: no pipe");
  for (WatchLink &link : links_) link.heard = Clock::now();
  thread_ = std::thread([this] { loop(); });
}

void Watch::loop() {
  Clock::time_point next_beat = Clock::now();
  for (;;) {
    std::vector<pollfd> waited = {{wake_[0], POLLIN, 0}};
    for (const WatchLink &link : links_) {
      waited.push_back({link.ended ? -1 : link.socket, POLLIN, 0});
    }
    const auto rest = std::chrono::duration_cast<milliseconds>(next_beat - Clock::now()).count();
    poll(waited.data(), waited.size(), rest > 0 ? static_cast<int>(rest) : 0);
    std::string reason;
    bool leaving;
    {
      std::lock_guard lock(mutex_);
      reason = reason_;
      leaving = leaving_;
      if (concluded_) return;
    }
    if (leaving) {
      for (const WatchLink &link : links_) send_all(link.socket, message(goodbye), 100);
      return;
    }
    if (!reason.empty()) {
      if (rank_ == 0) return conclude(name_ + " failed: " + reason);
      char drained[16];
      (void)!read(wake_[0], drained, sizeof drained);
      send_all(links_[0].socket, message(failed, reason), send_milliseconds);
    }
    for (size_t i = 0; i < links_.size(); i++) {
      if (waited[i + 1].revents) read_from(links_[i]);
      std::lock_guard lock(mutex_);
      if (concluded_) return;
    }
    if (Clock::now() < next_beat) continue;
    next_beat = Clock::now() + milliseconds(beat_milliseconds);
    for (WatchLink &link : links_) {
      if (link.ended) continue;
      send_all(link.socket, message(beat), 0);
      if (Clock::now() - link.heard < std::chrono::seconds(silence_seconds)) continue;
      return conclude(
          format("%s has not been heard of for %d seconds: it, its host or the network "
                 "to it stopped",
                 link.name.c_str(), silence_seconds));
    }
  }
}

void Watch::read_from(WatchLink &link) {
  char bytes[most_bytes];
  const ssize_t got = recv(link.socket, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (!link.ended) conclude(link.name + " ended without a word");
    return;
  }
  link.heard = Clock::now();
  link.arrived.append(bytes, static_cast<size_t>(got));
  while (link.arrived.size() >= head_bytes) {
    const size_t length = std::min(length_of(link.arrived.data()), most_bytes);
    if (link.arrived.size() < head_bytes + length) return;
    const char kind = link.arrived[0];
    const std::string text = link.arrived.substr(head_bytes, length);
    link.arrived.erase(0, head_bytes + length);
    handle(link, kind, text);
  }
}

void Watch::handle(WatchLink &link, char kind, const std::string &text) {
  if (kind == failed) conclude(link.name + " failed: " + text);
  if (kind == sentence) conclude(text);
  if (kind == goodbye) link.ended = true;
}

void Watch::conclude(const std::string &text) {
  {
    std::lock_guard lock(mutex_);
    if (concluded_) return;
    concluded_ = true;
  }
  if (rank_ == 0) {
    for (const WatchLink &link : links_) {
      if (!link.ended) send_all(link.socket, message(sentence, text), send_milliseconds);
    }
  }
  changed_.notify_all();
  on_failure_(text);
}

void Watch::fail(const std::string &reason) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable() || concluded_ || leaving_) return;
  reason_ = reason.empty() ? "no reason" : reason;
  (void)!write(wake_[1], "f", 1);
  changed_.wait_for(lock, std::chrono::seconds(3), [this] { return concluded_; });
}

void Watch::leave() {
  std::lock_guard lock(mutex_);
  if (!thread_.joinable() || leaving_) return;
  leaving_ = true;
  (void)!write(wake_[1], "g", 1);
}

}  // namespace gapcam
