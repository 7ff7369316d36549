// The objects behind the handles of the C interface.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "backend.h"
#include "gapcam.h"

namespace gapcam {

struct DeviceObject {
  // Declared before the device, so that what the device owns goes first.
  std::mutex mutex;  // one call at a time
  std::unique_ptr<Device> device;
};

struct ProgramObject {
  std::shared_ptr<DeviceObject> device;
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  std::unique_ptr<Executable> executable;                 // set by compile
  std::unordered_map<const Storage *, ValueId> external;  // tensors of the device, seen so far
  ~ProgramObject() {
    if (!device) return;
    std::lock_guard lock(device->mutex);
    executable.reset();
    graph.reset();
  }
};

struct TensorObject {
  std::shared_ptr<DeviceObject> device;
  DataType type = DataType::f32;
  Shape shape;
  bool staged = false;
  std::shared_ptr<Storage> storage;      // a tensor of the device
  std::weak_ptr<ProgramObject> program;  // or a value of a program
  ValueId value = no_value;
};

// Numbers, not pointers, so that a stale or invented handle is found out instead of followed.
// A number is never used twice, whatever the kind.
class Registry {
 public:
  // Never destroyed: calls may still be in flight while the process ends.
  static Registry &instance() {
    static Registry *registry = new Registry;
    return *registry;
  }

  template <class Object>
  gapcam_handle add(std::shared_ptr<Object> object) {
    std::lock_guard lock(mutex_);
    const gapcam_handle handle = ++last_;
    map<Object>().emplace(handle, std::move(object));
    return handle;
  }

  template <class Object>
  std::shared_ptr<Object> find(gapcam_handle handle, const char *kind) {
    std::lock_guard lock(mutex_);
    const auto found = map<Object>().find(handle);
    if (found == map<Object>().end()) {
      throw Error(GAPCAM_INVALID_HANDLE,
                  format("Cannot use %s %llu: no such %s is open; it was destroyed or is of "
                         "another kind",
                         kind, static_cast<unsigned long long>(handle), kind));
    }
    return found->second;
  }

  // Hands the object back, so that it dies outside the lock.
  template <class Object>
  std::shared_ptr<Object> remove(gapcam_handle handle, const char *kind) {
    auto object = find<Object>(handle, kind);
    std::lock_guard lock(mutex_);
    map<Object>().erase(handle);
    return object;
  }

  template <class Object, class Predicate>
  std::vector<std::shared_ptr<Object>> remove_if(Predicate predicate) {
    std::vector<std::shared_ptr<Object>> removed;
    std::lock_guard lock(mutex_);
    for (auto i = map<Object>().begin(); i != map<Object>().end();) {
      if (predicate(*i->second)) {
        removed.push_back(std::move(i->second));
        i = map<Object>().erase(i);
      } else {
        ++i;
      }
    }
    return removed;
  }

 private:
  template <class Object>
  std::unordered_map<gapcam_handle, std::shared_ptr<Object>> &map();

  std::mutex mutex_;
  gapcam_handle last_ = 0;
  std::unordered_map<gapcam_handle, std::shared_ptr<DeviceObject>> devices_;
  std::unordered_map<gapcam_handle, std::shared_ptr<TensorObject>> tensors_;
  std::unordered_map<gapcam_handle, std::shared_ptr<ProgramObject>> programs_;
};

template <>
std::unordered_map<gapcam_handle, std::shared_ptr<DeviceObject>> &Registry::map();
template <>
std::unordered_map<gapcam_handle, std::shared_ptr<TensorObject>> &Registry::map();
template <>
std::unordered_map<gapcam_handle, std::shared_ptr<ProgramObject>> &Registry::map();

Registry &registry();
std::shared_ptr<DeviceObject> find_device(gapcam_handle handle);
std::shared_ptr<TensorObject> find_tensor(gapcam_handle handle);
std::shared_ptr<ProgramObject> find_program(gapcam_handle handle);

}  // namespace gapcam
