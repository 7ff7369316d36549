#pragma once

#include "backend.h"
#include "gpu.h"
#include "planner.h"

namespace gapcam::cuda {

class CudaDevice : public Device {
 public:
  explicit CudaDevice(const DeviceOptions &options);

  std::shared_ptr<Storage> allocate(DataType type, const Shape &shape, bool staged) override;
  std::string refusal(const Graph &graph, const Operation &operation) const override;
  std::unique_ptr<Executable> compile(std::shared_ptr<const Graph> graph) override;
  std::shared_ptr<Communicator> join(std::shared_ptr<Communicator> ranks) override;
  std::string describe() const override;
  uint64_t free_bytes() const override;

 private:
  std::shared_ptr<Gpu> gpu_;
  std::unique_ptr<PlanTarget> target_;
  std::unique_ptr<Planner> planner_;
};

}  // namespace gapcam::cuda
