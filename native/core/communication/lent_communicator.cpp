#include "lent_communicator.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "error.h"

namespace gapcam {

namespace {

// A status of the other library as an error of this one.
template <class Call>
void check(const Call &call) {
  char message[GAPCAM_MESSAGE_BYTES] = "";
  const int32_t status = call(message);
  if (status != GAPCAM_OK) throw Error(static_cast<gapcam_status>(status), message);
}

}  // namespace

LentCommunicator::LentCommunicator(const std::string &library, gapcam_handle handle)
    : library_(dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD)), handle_(handle) {
  if (!library_) {
    throw Error(GAPCAM_INVALID_ARGUMENT,
                format("Cannot join the ranks of %s: it is not open", library.c_str()));
  }
  find(describe_, "gapcam_communicator_describe");
  find(broadcast_, "gapcam_communicator_broadcast");
  find(all_gather_, "gapcam_communicator_all_gather");
  find(all_reduce_, "gapcam_communicator_all_reduce");
  find(abort_, "gapcam_communicator_abort");
  find(watch_, "gapcam_communicator_watch");
  const std::string described = describe();
  const auto number = [&](const char *name) {
    const size_t at = described.find(name);
    return at == std::string::npos ? -1 : std::atoi(described.c_str() + at + std::strlen(name));
  };
  rank_ = number("\"rank\": ");
  size_ = number("\"size\": ");
  if (rank_ < 0 || size_ <= rank_) throw Error(GAPCAM_INTERNAL, "Cannot read " + described);
}

template <class Function>
void LentCommunicator::find(Function &function, const char *name) {
  function = reinterpret_cast<Function>(dlsym(library_, name));
  if (!function) {
    throw Error(GAPCAM_INVALID_ARGUMENT,
                format("Cannot join the ranks: the library that is named has no %s", name));
  }
}

void LentCommunicator::all_gather(const void *own, void *all, size_t bytes) {
  check([&](char *message) { return all_gather_(handle_, own, all, bytes, message); });
}

void LentCommunicator::broadcast(void *data, size_t bytes, int root) {
  check([&](char *message) { return broadcast_(handle_, data, bytes, root, message); });
}

void LentCommunicator::sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) {
  check([&](char *message) {
    return all_reduce_(handle_, numbers->data(), numbers->size(), fast ? GAPCAM_FAST_SUM : 0,
                       message);
  });
}

void LentCommunicator::fail(const std::string &reason) {
  check([&](char *message) { return abort_(handle_, reason.c_str(), message); });
}

std::string LentCommunicator::wait_for_failure() {
  char message[GAPCAM_MESSAGE_BYTES] = "";
  return watch_(handle_, message) == GAPCAM_RANK_FAILED ? message : "";
}

std::string LentCommunicator::describe() const {
  std::string json(1 << 14, '\0');
  check([&](char *message) {
    return describe_(handle_, json.data(), json.size(), nullptr, message);
  });
  json.resize(std::strlen(json.c_str()));
  return json;
}

}  // namespace gapcam
