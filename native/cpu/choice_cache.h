// Which algorithm won a timing, remembered in the process and in a file of the user's cache folder,
// so that the same program on the same machine makes the same choices, and the same bytes, again.
#pragma once

#include <functional>
#include <string>

namespace gapcam::cpu {

// The choice remembered for `key`, or what `decide` returns, which is then remembered. Where the
// file cannot be read or written, the process alone remembers.
std::string remembered_choice(const std::string &key, const std::function<std::string()> &decide);

}  // namespace gapcam::cpu
