// A compiled program: an ordered list of steps over one arena of memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend.h"
#include "kernels.h"
#include "program_memory.h"
#include "worker.h"

namespace gapcam::cpu {

class CpuDevice;

std::unique_ptr<Executable> compile_program(std::shared_ptr<const Graph> graph,
                                            const CpuDevice &device,
                                            std::shared_ptr<Worker> worker);

class CpuExecutable : public Executable {
 public:
  CpuExecutable(std::shared_ptr<const Graph> graph, const CpuDevice &device,
                std::shared_ptr<Worker> worker);

  void run(uint32_t phases) override;
  void read(ValueId value, void *data, size_t bytes) override;
  std::string describe() const override;

 private:
  // Where a value that can be read lies.
  struct Readable {
    View view;
    MapShape shape;
  };

  std::shared_ptr<const Graph> graph_;
  std::shared_ptr<Worker> worker_;
  int threads_;
  std::vector<CpuStorage *> staged_;
  std::vector<Readable> readable_;  // by value
  ProgramMemory memory_;
};

}  // namespace gapcam::cpu
