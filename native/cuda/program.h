// A program as steps over one arena of memory, and what it needs to run them. Building one needs no
// GPU, so that the plans of a described device come from the same code.
//
// Feature maps are NHWC of f32 or bf16 with channels in multiples of 16 bytes; everything else is
// f32 as the host sees it, and weights and their gradients are as their CudaStorage is.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gpu.h"
#include "graph.h"
#include "schedule.h"
#include "storage.h"

namespace gapcam::cuda {

class Planner;

class Program {
 public:
  Program(const Graph &graph, gapcam_precision precision, Planner &planner);
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  size_t arena_bytes() const { return schedule_.bytes(); }
  // The most that a read of one of its values must convert.
  size_t conversion_bytes() const { return conversion_bytes_; }
  // Gives it memory, once, and fills in what is constant.
  void bind(const Gpu &gpu, driver::Pointer arena);

  Schedule &schedule() { return schedule_; }
  const Schedule &schedule() const { return schedule_; }
  // Steps that prepare weights, needed when one of these tensors has changed.
  std::vector<Step> &preparation() { return preparation_; }
  uint64_t preparation_version() const;
  // Tensors that a phase changes.
  void mark_changed(uint32_t phases) const;
  const std::vector<CudaStorage *> &staged() const { return staged_; }

  // Copies a value to the host.
  void read(const Gpu &gpu, ValueId value, void *data, size_t bytes) const;

  driver::Pointer address(const View &view) const {
    if (view.storage) return static_cast<CudaStorage *>(view.storage)->address();
    if (view.buffer < 0) return 0;
    return arena_ + schedule_.offset(view);
  }
  const Gpu &gpu() const { return *gpu_; }

 private:
  friend class Lowering;

  struct Constant {
    View place;
    std::function<std::string()> content;  // asked for once addresses are known
  };
  // Where a value lies that can be read, and how it becomes what the host sees.
  struct Readable {
    View view;
    MapCopy copy{};
    bool is_map = false, bf16 = false;
  };

  std::vector<Readable> readable_;  // by value
  std::vector<CudaStorage *> staged_, prepared_;
  std::vector<std::pair<uint32_t, CudaStorage *>> changed_;
  Schedule schedule_{256};
  std::vector<Step> preparation_;
  std::vector<Constant> constants_;
  size_t conversion_bytes_ = 0;
  const Gpu *gpu_ = nullptr;  // set by bind()
  driver::Pointer arena_ = 0;
};

}  // namespace gapcam::cuda
