// cuDNN's descriptors as objects that own them, and what plans are made for.
#pragma once

#include <memory>
#include <string>

#include "libraries.h"

namespace gapcam::cuda {

// A cuDNN descriptor, destroyed with its owner.
class OwnedDescriptor {
 public:
  OwnedDescriptor(const Libraries &libraries, cudnn::DescriptorType type);
  ~OwnedDescriptor();
  OwnedDescriptor(OwnedDescriptor &&other) noexcept;
  OwnedDescriptor &operator=(OwnedDescriptor &&) = delete;

  cudnn::Descriptor get() const { return descriptor_; }
  void set(cudnn::AttributeName name, cudnn::AttributeType type, const void *elements,
           int64_t count = 1);
  void set_descriptor(cudnn::AttributeName name, const OwnedDescriptor &value);
  // How many elements there are.
  int64_t count(cudnn::AttributeName name, cudnn::AttributeType type) const;
  // The number of elements written, at most `capacity`.
  int64_t get(cudnn::AttributeName name, cudnn::AttributeType type, void *elements,
              int64_t capacity) const;
  void finalise();
  // The status, instead of an exception.
  cudnn::Status try_finalise();

 private:
  const Libraries *libraries_;
  cudnn::Descriptor descriptor_ = nullptr;
};

// What plans are made for: a device that is open, or a description of one.
class PlanTarget {
 public:
  PlanTarget(const Libraries &libraries, cudnn::Handle handle);
  // `json`: as CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION takes it.
  PlanTarget(const Libraries &libraries, const std::string &json);

  const Libraries &libraries() const { return libraries_; }
  cudnn::Handle handle() const { return handle_; }
  void apply_to_graph(OwnedDescriptor &graph) const;
  void apply_to_heuristic(OwnedDescriptor &heuristic) const;
  void apply_to_plan(OwnedDescriptor &plan) const;

 private:
  const Libraries &libraries_;
  cudnn::Handle handle_ = nullptr;
  std::unique_ptr<OwnedDescriptor> properties_;
};

// "CUDNN_STATUS_NOT_SUPPORTED (why)"
std::string reason_of(const Libraries &libraries, cudnn::Status status);

// Throws Error with cuDNN's reason unless `status` is 0.
void check_cudnn(const Libraries &libraries, cudnn::Status status, const char *action);

}  // namespace gapcam::cuda
