// The objects behind the handles of the C interface.
//
// Locks, in the order in which they may be taken: a device's, then the registry's. The last owner
// of a program or of a tensor locks the device to free its memory, so no owner is let go while
// either lock is held.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "backend.h"
#include "communication/communicator.h"
#include "gapcam.h"

namespace gapcam {

struct DeviceObject {
  // Declared before the device, so that what the device owns goes first.
  std::mutex mutex;  // one call at a time
  std::unique_ptr<Device> device;
  bool registered = false;  // the registry's
};

struct ProgramObject {
  std::shared_ptr<DeviceObject> device;
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  std::unique_ptr<Executable> executable;                 // set by compile
  std::unordered_map<const Storage *, ValueId> external;  // tensors of the device, seen so far
  bool registered = false;                                // the registry's
  ~ProgramObject();
};

// Does not change once it has a handle.
struct TensorObject {
  std::shared_ptr<DeviceObject> device;
  DataType type = DataType::f32;
  Shape shape;
  bool staged = false;
  std::shared_ptr<Storage> storage;      // a tensor of the device
  std::weak_ptr<ProgramObject> program;  // or a value of a program
  ValueId value = no_value;
  ~TensorObject();

  // Whether `other` made it. Locking the weak pointer instead would make an owner that may be the
  // last.
  bool made_by(const std::shared_ptr<ProgramObject> &other) const {
    return !program.owner_before(other) && !other.owner_before(program);
  }
};

// What no longer has a handle; it dies when the caller lets go of it, outside the locks.
struct Removed {
  std::shared_ptr<DeviceObject> device;
  std::vector<std::shared_ptr<ProgramObject>> programs;
  std::vector<std::shared_ptr<TensorObject>> tensors;
};

// Numbers, not pointers, so that a stale or invented handle is found out instead of followed.
// A number is never used twice, whatever the kind.
class Registry {
 public:
  gapcam_handle add(const std::shared_ptr<DeviceObject> &device);
  // These two throw GAPCAM_INVALID_HANDLE if the owner was closed or destroyed meanwhile, so that
  // nothing outlives it. `maker`: the program that a value is of, or null.
  gapcam_handle add(const std::shared_ptr<ProgramObject> &program);
  gapcam_handle add(const std::shared_ptr<TensorObject> &tensor, const ProgramObject *maker);
  gapcam_handle add(const std::shared_ptr<Communicator> &communicator);

  std::shared_ptr<DeviceObject> find_device(gapcam_handle handle);
  std::shared_ptr<ProgramObject> find_program(gapcam_handle handle);
  std::shared_ptr<TensorObject> find_tensor(gapcam_handle handle);
  std::shared_ptr<Communicator> find_communicator(gapcam_handle handle);

  // With all that is on the device.
  Removed remove_device(gapcam_handle handle);
  // With the tensors that its operations made.
  Removed remove_program(gapcam_handle handle);
  Removed remove_tensor(gapcam_handle handle);
  std::shared_ptr<Communicator> remove_communicator(gapcam_handle handle);

 private:
  template <class Object>
  using Map = std::unordered_map<gapcam_handle, std::shared_ptr<Object>>;

  std::mutex mutex_;
  gapcam_handle last_ = 0;
  Map<DeviceObject> devices_;
  Map<ProgramObject> programs_;
  Map<TensorObject> tensors_;
  Map<Communicator> communicators_;
};

Registry &registry();

}  // namespace gapcam
