// What the descriptions, which are JSON, are written with.
#pragma once

#include <string>

namespace gapcam {

// A string of JSON; without control characters, which no name that we write has.
inline std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + "\"";
}

}  // namespace gapcam
