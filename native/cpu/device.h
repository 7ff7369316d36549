#pragma once

#include "backend.h"
#include "worker.h"

namespace gapcam::cpu {

class CpuDevice : public Device {
 public:
  explicit CpuDevice(const DeviceOptions &options, int threads);

  std::shared_ptr<Storage> allocate(DataType type, const Shape &shape, bool staged) override;
  std::string refusal(const Graph &graph, const Operation &operation) const override;
  std::unique_ptr<Executable> compile(std::shared_ptr<const Graph> graph) override;
  std::string describe() const override;
  uint64_t free_bytes() const override;

  const DeviceOptions &options() const { return options_; }
  int threads() const { return threads_; }
  std::shared_ptr<Ledger> shared_ledger() const { return ledger_; }

 private:
  DeviceOptions options_;
  int threads_;
  std::shared_ptr<Worker> worker_;
};

}  // namespace gapcam::cpu
