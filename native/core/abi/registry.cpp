#include "registry.h"

namespace gapcam {

namespace {

template <class Map>
typename Map::iterator find_in(Map &map, gapcam_handle handle, const char *kind) {
  const auto found = map.find(handle);
  if (found == map.end()) {
    throw Error(GAPCAM_INVALID_HANDLE,
                format("Cannot use %s %llu: no such %s is open; it was destroyed or is of "
                       "another kind",
                       kind, static_cast<unsigned long long>(handle), kind));
  }
  return found;
}

// Moves what `belongs` says out of the map.
template <class Map, class Objects, class Predicate>
void move_if(Map &map, Objects &removed, Predicate belongs) {
  for (auto i = map.begin(); i != map.end();) {
    if (!belongs(*i->second)) {
      ++i;
      continue;
    }
    removed.push_back(i->second);
    i = map.erase(i);
  }
}

[[noreturn]] void refuse_orphan(const char *made, const char *owner, const char *ended) {
  throw Error(GAPCAM_INVALID_HANDLE,
              format("Cannot make a %s: its %s was %s meanwhile", made, owner, ended));
}

}  // namespace

ProgramObject::~ProgramObject() {
  if (!device) return;
  std::lock_guard lock(device->mutex);
  executable.reset();
  graph.reset();
}

TensorObject::~TensorObject() {
  if (!storage) return;
  std::lock_guard lock(device->mutex);
  storage.reset();
}

gapcam_handle Registry::add(const std::shared_ptr<DeviceObject> &device) {
  std::lock_guard lock(mutex_);
  devices_.emplace(++last_, device);
  device->registered = true;
  return last_;
}

gapcam_handle Registry::add(const std::shared_ptr<ProgramObject> &program) {
  std::lock_guard lock(mutex_);
  if (!program->device->registered) refuse_orphan("program", "device", "closed");
  programs_.emplace(++last_, program);
  program->registered = true;
  return last_;
}

gapcam_handle Registry::add(const std::shared_ptr<TensorObject> &tensor,
                            const ProgramObject *maker) {
  std::lock_guard lock(mutex_);
  if (!tensor->device->registered) refuse_orphan("tensor", "device", "closed");
  if (maker && !maker->registered) refuse_orphan("tensor", "program", "destroyed");
  tensors_.emplace(++last_, tensor);
  return last_;
}

gapcam_handle Registry::add(const std::shared_ptr<Communicator> &communicator) {
  std::lock_guard lock(mutex_);
  communicators_.emplace(++last_, communicator);
  return last_;
}

std::shared_ptr<DeviceObject> Registry::find_device(gapcam_handle handle) {
  std::lock_guard lock(mutex_);
  return find_in(devices_, handle, "device")->second;
}

std::shared_ptr<ProgramObject> Registry::find_program(gapcam_handle handle) {
  std::lock_guard lock(mutex_);
  return find_in(programs_, handle, "program")->second;
}

std::shared_ptr<TensorObject> Registry::find_tensor(gapcam_handle handle) {
  std::lock_guard lock(mutex_);
  return find_in(tensors_, handle, "tensor")->second;
}

std::shared_ptr<Communicator> Registry::find_communicator(gapcam_handle handle) {
  std::lock_guard lock(mutex_);
  return find_in(communicators_, handle, "communicator")->second;
}

Removed Registry::remove_device(gapcam_handle handle) {
  Removed removed;
  std::lock_guard lock(mutex_);
  const auto found = find_in(devices_, handle, "device");
  removed.device = found->second;
  removed.device->registered = false;
  devices_.erase(found);
  const auto on_device = [&](const auto &object) { return object.device == removed.device; };
  move_if(programs_, removed.programs, on_device);
  for (const auto &program : removed.programs) program->registered = false;
  move_if(tensors_, removed.tensors, on_device);
  return removed;
}

Removed Registry::remove_program(gapcam_handle handle) {
  Removed removed;
  std::lock_guard lock(mutex_);
  const auto found = find_in(programs_, handle, "program");
  removed.programs.push_back(found->second);
  const std::shared_ptr<ProgramObject> &program = removed.programs[0];
  program->registered = false;
  programs_.erase(found);
  move_if(tensors_, removed.tensors,
          [&](const TensorObject &tensor) { return tensor.made_by(program); });
  return removed;
}

Removed Registry::remove_tensor(gapcam_handle handle) {
  Removed removed;
  std::lock_guard lock(mutex_);
  const auto found = find_in(tensors_, handle, "tensor");
  removed.tensors.push_back(found->second);
  tensors_.erase(found);
  return removed;
}

std::shared_ptr<Communicator> Registry::remove_communicator(gapcam_handle handle) {
  std::lock_guard lock(mutex_);
  const auto found = find_in(communicators_, handle, "communicator");
  auto removed = found->second;
  communicators_.erase(found);
  return removed;
}

Registry &registry() {
  // Never destroyed: calls may still be in flight while the process ends.
  static Registry *one = new Registry;
  return *one;
}

}  // namespace gapcam
