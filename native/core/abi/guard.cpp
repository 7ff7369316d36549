#include "guard.h"

#include <cstring>

namespace gapcam {

int32_t report(gapcam_status status, const char *text, char *message) {
  if (message) {
    std::strncpy(message, text, GAPCAM_MESSAGE_BYTES - 1);
    message[GAPCAM_MESSAGE_BYTES - 1] = '\0';
  }
  return status;
}

void require(bool condition, const std::string &message, gapcam_status status) {
  if (!condition) throw Error(status, message);
}

void copy_text(const std::string &text, char *buffer, uint64_t capacity, uint64_t *needed) {
  if (needed) *needed = text.size() + 1;
  require(buffer != nullptr && capacity > text.size(),
          format("The description needs a buffer of %zu bytes, got %llu", text.size() + 1,
                 static_cast<unsigned long long>(capacity)));
  std::memcpy(buffer, text.c_str(), text.size() + 1);
}

}  // namespace gapcam
