#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>

#include "error.h"

namespace gapcam {

namespace {

using Clock = std::chrono::steady_clock;

int left(Clock::time_point end) {
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
  return rest.count() > 0 ? static_cast<int>(rest.count()) : 0;
}

bool wait_for(int socket, short what, Clock::time_point end) {
  pollfd one{socket, what, 0};
  for (;;) {
    const int ready = poll(&one, 1, left(end));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

int listening(int family, int port) {
  const int door = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (door < 0) return -1;
  const int on = 1, off = 0;
  setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int bound = -1;
  if (family == AF_INET6) {
    setsockopt(door, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_addr = in6addr_any;
    any.sin6_port = htons(static_cast<uint16_t>(port));
    bound = bind(door, reinterpret_cast<sockaddr *>(&any), sizeof any);
  } else {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(static_cast<uint16_t>(port));
    bound = bind(door, reinterpret_cast<sockaddr *>(&any), sizeof any);
  }
  if (bound == 0 && listen(door, 1024) == 0) return door;
  close(door);
  return -1;
}

void prepare(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

int listen_at(int port) {
  const int door = listening(AF_INET6, port);
  return door >= 0 ? door : listening(AF_INET, port);
}

int listen_anywhere(int &port) {
  const int door = listen_at(0);
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (door < 0 || getsockname(door, reinterpret_cast<sockaddr *>(&bound), &length) != 0) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                format("Cannot watch over the ranks: the system gives no TCP port (%s)",
                       std::strerror(errno)));
  }
  port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6 &>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in &>(bound).sin_port);
  return door;
}

std::vector<std::string> own_addresses() {
  std::vector<std::string> found, loop;
  ifaddrs *list = nullptr;
  if (getifaddrs(&list) == 0) {
    for (const ifaddrs *one = list; one; one = one->ifa_next) {
      if (!one->ifa_addr || !(one->ifa_flags & IFF_UP)) continue;
      const int family = one->ifa_addr->sa_family;
      if (family != AF_INET && family != AF_INET6) continue;
      char text[INET6_ADDRSTRLEN] = "";
      const void *address = nullptr;
      if (family == AF_INET) {
        address = &reinterpret_cast<const sockaddr_in *>(one->ifa_addr)->sin_addr;
      } else {
        const auto &six = reinterpret_cast<const sockaddr_in6 *>(one->ifa_addr)->sin6_addr;
        // Of use with the name of an interface alone.
        if (IN6_IS_ADDR_LINKLOCAL(&six)) continue;
        address = &six;
      }
      if (!inet_ntop(family, address, text, sizeof text)) continue;
      (one->ifa_flags & IFF_LOOPBACK ? loop : found).push_back(text);
    }
    freeifaddrs(list);
  }
  found.insert(found.end(), loop.begin(), loop.end());
  return found;
}

int connect_to_address(const std::string &address, int port, int milliseconds,
                       std::string &problem) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  const int looked = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (looked != 0) {
    problem = gai_strerror(looked);
    return -1;
  }
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(milliseconds);
  int connected = -1;
  for (const addrinfo *one = list; one && connected < 0; one = one->ai_next) {
    const int made = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) continue;
    int failed = 0;
    socklen_t length = sizeof failed;
    if (connect(made, one->ai_addr, one->ai_addrlen) != 0) {
      failed = errno;
      if (failed == EINPROGRESS) {
        failed = ETIMEDOUT;
        if (wait_for(made, POLLOUT, end)) {
          getsockopt(made, SOL_SOCKET, SO_ERROR, &failed, &length);
        }
      }
    }
    if (failed == 0) {
      connected = made;
      prepare(made);
    } else {
      problem = std::strerror(failed);
      close(made);
    }
  }
  freeaddrinfo(list);
  return connected;
}

int accept_within(int door, int milliseconds) {
  if (!wait_for(door, POLLIN, Clock::now() + std::chrono::milliseconds(milliseconds))) return -1;
  const int made = accept4(door, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (made >= 0) prepare(made);
  return made;
}

bool send_all(int socket, const std::string &bytes, int milliseconds) {
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(milliseconds);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t sent =
        send(socket, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<size_t>(sent);
    } else if (errno == EAGAIN || errno == EINTR) {
      if (!wait_for(socket, POLLOUT, end)) return false;
    } else {
      return false;
    }
  }
  return true;
}

bool receive_all(int socket, char *bytes, size_t count, int milliseconds) {
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(milliseconds);
  for (size_t done = 0; done < count;) {
    const ssize_t got = recv(socket, bytes + done, count - done, MSG_DONTWAIT);
    if (got > 0) {
      done += static_cast<size_t>(got);
    } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (!wait_for(socket, POLLIN, end)) return false;
    } else {
      return false;
    }
  }
  return true;
}

std::string random_token() {
  unsigned char bytes[16] = {};
  std::ifstream("/dev/urandom", std::ios::binary).read(reinterpret_cast<char *>(bytes), 16);
  std::string text;
  for (const unsigned char one : bytes) text += format("%02x", one);
  return text;
}

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name[0] ? name : "an unnamed host";
}

std::string host_identity() {
  std::string text;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), text);
  return text.empty() ? host_name() : text;
}

}  // namespace gapcam
