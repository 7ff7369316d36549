// How code behind the C interface fails: it throws Error; abi/guard.h turns that into a status.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "gapcam.h"

namespace gapcam {

class Error : public std::runtime_error {
 public:
  Error(gapcam_status status, const std::string &message)
      : std::runtime_error(message), status_(status) {}
  gapcam_status status() const { return status_; }

 private:
  gapcam_status status_;
};

// printf into a std::string.
__attribute__((format(printf, 1, 2))) inline std::string format(const char *pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  va_list copy;
  va_copy(copy, arguments);
  const int length = std::vsnprintf(nullptr, 0, pattern, copy);
  va_end(copy);
  std::string text(length > 0 ? static_cast<size_t>(length) : 0, '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, arguments);
  va_end(arguments);
  return text;
}

}  // namespace gapcam
