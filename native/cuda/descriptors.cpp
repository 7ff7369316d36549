#include "descriptors.h"

#include <utility>

#include "error.h"

namespace gapcam::cuda {

std::string reason_of(const Libraries &libraries, cudnn::Status status) {
  char text[512] = "";
  libraries.cudnn.cudnnGetLastErrorString(text, sizeof text);
  std::string reason = libraries.cudnn.cudnnGetErrorString(status);
  if (text[0]) reason += format(" (%s)", text);
  return reason;
}

void check_cudnn(const Libraries &libraries, cudnn::Status status, const char *action) {
  if (status == 0) return;
  // 5000 and above: the execution failed.
  throw Error(status >= 5000 ? GAPCAM_DEVICE_FAILED : GAPCAM_UNSUPPORTED,
              format("Cannot %s: cuDNN reports %s", action, reason_of(libraries, status).c_str()));
}

OwnedDescriptor::OwnedDescriptor(const Libraries &libraries, cudnn::DescriptorType type)
    : libraries_(&libraries) {
  check_cudnn(libraries, libraries.cudnn.cudnnBackendCreateDescriptor(type, &descriptor_),
              "create a descriptor");
}

OwnedDescriptor::~OwnedDescriptor() {
  if (descriptor_) libraries_->cudnn.cudnnBackendDestroyDescriptor(descriptor_);
}

OwnedDescriptor::OwnedDescriptor(OwnedDescriptor &&other) noexcept
    : libraries_(other.libraries_), descriptor_(std::exchange(other.descriptor_, nullptr)) {}

void OwnedDescriptor::set(cudnn::AttributeName name, cudnn::AttributeType type,
                          const void *elements, int64_t count) {
  check_cudnn(*libraries_,
              libraries_->cudnn.cudnnBackendSetAttribute(descriptor_, name, type, count, elements),
              format("set attribute %d", static_cast<int>(name)).c_str());
}

void OwnedDescriptor::set_descriptor(cudnn::AttributeName name, const OwnedDescriptor &value) {
  set(name, cudnn::type_descriptor, &value.descriptor_);
}

int64_t OwnedDescriptor::count(cudnn::AttributeName name, cudnn::AttributeType type) const {
  int64_t count = 0;
  check_cudnn(
      *libraries_,
      libraries_->cudnn.cudnnBackendGetAttribute(descriptor_, name, type, 0, &count, nullptr),
      format("count attribute %d", static_cast<int>(name)).c_str());
  return count;
}

int64_t OwnedDescriptor::get(cudnn::AttributeName name, cudnn::AttributeType type, void *elements,
                             int64_t capacity) const {
  int64_t count = 0;
  check_cudnn(*libraries_,
              libraries_->cudnn.cudnnBackendGetAttribute(descriptor_, name, type, capacity, &count,
                                                         elements),
              format("get attribute %d", static_cast<int>(name)).c_str());
  return count < capacity ? count : capacity;
}

cudnn::Status OwnedDescriptor::try_finalise() {
  return libraries_->cudnn.cudnnBackendFinalize(descriptor_);
}

void OwnedDescriptor::finalise() {
  check_cudnn(*libraries_, try_finalise(), "complete a descriptor");
}

// ---- Targets ----------------------------------------------------------------------------------

PlanTarget::PlanTarget(const Libraries &libraries, cudnn::Handle handle)
    : libraries_(libraries), handle_(handle) {}

PlanTarget::PlanTarget(const Libraries &libraries, const std::string &json)
    : libraries_(libraries),
      properties_(
          std::make_unique<OwnedDescriptor>(libraries, cudnn::device_properties_descriptor)) {
  properties_->set(cudnn::device_properties_json, cudnn::type_char, json.c_str(),
                   static_cast<int64_t>(json.size() + 1));
  properties_->finalise();
}

void PlanTarget::apply_to_graph(OwnedDescriptor &graph) const {
  if (handle_) graph.set(cudnn::graph_handle, cudnn::type_handle, &handle_);
}

void PlanTarget::apply_to_heuristic(OwnedDescriptor &heuristic) const {
  if (properties_) heuristic.set_descriptor(cudnn::heuristic_device_properties, *properties_);
}

void PlanTarget::apply_to_plan(OwnedDescriptor &plan) const {
  if (handle_) plan.set(cudnn::plan_handle, cudnn::type_handle, &handle_);
  if (properties_) plan.set_descriptor(cudnn::plan_device_properties, *properties_);
}

}  // namespace gapcam::cuda
