// The part of TCP that ranks need to find each other.
#pragma once

#include <string>
#include <vector>

namespace gapcam {

// A door on any port of all addresses; its number in `port`. Throws where there is none to be had.
int listen_anywhere(int &port);
// A door at a port of all addresses, or -1.
int listen_at(int port);
// Numeric addresses of this host, that of the host itself last.
std::vector<std::string> own_addresses();
// A connection, or -1: `problem` says why.
int connect_to_address(const std::string &address, int port, int milliseconds,
                       std::string &problem);
// The next connection at a door, or -1 after so long.
int accept_within(int door, int milliseconds);
// Whether all was sent; a reader that is gone is no signal.
bool send_all(int socket, const std::string &bytes, int milliseconds);
// Whether `count` bytes came.
bool receive_all(int socket, char *bytes, size_t count, int milliseconds);

std::string random_token();
std::string host_name();
// The host, whatever its name: that of its kernel since it started.
std::string host_identity();

}  // namespace gapcam
