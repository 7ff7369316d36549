// Where a program's operands are when it runs.
#pragma once

#include "memory.h"
#include "schedule.h"
#include "storage.h"

namespace gapcam::cpu {

struct ProgramMemory {
  Schedule schedule{64};
  Block arena;

  void *data(const View &view) const {
    if (view.storage) return static_cast<CpuStorage *>(view.storage)->data<void>();
    if (view.buffer < 0) return nullptr;
    return static_cast<char *>(arena.data()) + schedule.offset(view);
  }
  float *f32(const View &view) const { return static_cast<float *>(data(view)); }
  double *f64(const View &view) const { return static_cast<double *>(data(view)); }
  uint8_t *u8(const View &view) const { return static_cast<uint8_t *>(data(view)); }
  const int32_t *i32(const View &view) const { return static_cast<int32_t *>(data(view)); }
  void *scratch() const { return data(schedule.scratch()); }
};

}  // namespace gapcam::cpu
