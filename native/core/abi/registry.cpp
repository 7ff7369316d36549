#include "registry.h"

namespace gapcam {

template <>
std::unordered_map<gapcam_handle, std::shared_ptr<DeviceObject>> &Registry::map() {
  return devices_;
}
template <>
std::unordered_map<gapcam_handle, std::shared_ptr<TensorObject>> &Registry::map() {
  return tensors_;
}
template <>
std::unordered_map<gapcam_handle, std::shared_ptr<ProgramObject>> &Registry::map() {
  return programs_;
}

Registry &registry() { return Registry::instance(); }

std::shared_ptr<DeviceObject> find_device(gapcam_handle handle) {
  return registry().find<DeviceObject>(handle, "device");
}
std::shared_ptr<TensorObject> find_tensor(gapcam_handle handle) {
  return registry().find<TensorObject>(handle, "tensor");
}
std::shared_ptr<ProgramObject> find_program(gapcam_handle handle) {
  return registry().find<ProgramObject>(handle, "program");
}

}  // namespace gapcam
