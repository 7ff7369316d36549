// The border: what is thrown behind the C interface becomes a status and a message.
#pragma once

#include <new>
#include <string>

#include "error.h"
#include "gapcam.h"

namespace gapcam {

// Writes `text` to the caller's message and gives the status back.
int32_t report(gapcam_status status, const char *text, char *message);

// Runs `body`; nothing that it throws crosses the interface.
template <class Body>
int32_t guard(char *message, Body body) {
  try {
    body();
    return GAPCAM_OK;
  } catch (const Error &error) {
    return report(error.status(), error.what(), message);
  } catch (const std::bad_alloc &) {
    return report(GAPCAM_OUT_OF_MEMORY, "Cannot allocate host memory: the system has none left",
                  message);
  } catch (const std::exception &error) {
    return report(GAPCAM_INTERNAL, error.what(), message);
  } catch (...) {
    return report(GAPCAM_INTERNAL, "Unknown failure in the native library", message);
  }
}

void require(bool condition, const std::string &message,
             gapcam_status status = GAPCAM_INVALID_ARGUMENT);

template <class T>
T *not_null(T *pointer, const char *name) {
  require(pointer != nullptr, format("The argument %s must not be null", name));
  return pointer;
}

// Writes a description to the caller's buffer of `capacity` bytes, and its size to `needed`.
void copy_text(const std::string &text, char *buffer, uint64_t capacity, uint64_t *needed);

}  // namespace gapcam
