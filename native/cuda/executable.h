// A compiled program on the GPU. Its steps run once by themselves; the second run with the same
// phases records them as a CUDA graph, which all further runs replay. Where they cannot be
// recorded they go on by themselves, and describe() says why.
#pragma once

#include <map>
#include <memory>

#include "program.h"

namespace gapcam::cuda {

class CudaExecutable : public Executable {
 public:
  CudaExecutable(std::shared_ptr<const Graph> graph, std::shared_ptr<Gpu> gpu, Planner &planner);
  ~CudaExecutable() override;

  void run(uint32_t phases) override;
  void read(ValueId value, void *data, size_t bytes) override;
  std::string describe() const override;

 private:
  // How often phases have run together, and their graph once there is one.
  struct Recording {
    int runs = 0;
    driver::GraphExecutable graph = nullptr;
    std::string refusal;  // why there is none
  };

  void allocate();
  void run_steps(uint32_t phases, bool captured);
  void run_profiled(uint32_t phases);
  void capture(uint32_t phases, Recording &recording);
  void count_runs(uint32_t phases);

  std::shared_ptr<const Graph> graph_;
  std::shared_ptr<Gpu> gpu_;
  Program program_;
  Block arena_;
  std::map<uint32_t, Recording> recordings_;
  std::unique_ptr<OwnedEvent> start_, end_;  // profiling
  uint64_t prepared_version_ = 0;
};

}  // namespace gapcam::cuda
