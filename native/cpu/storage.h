// A tensor of the device: plain memory in host order.
#pragma once

#include <atomic>
#include <mutex>

#include "backend.h"
#include "memory.h"

namespace gapcam::cpu {

class CpuStorage : public Storage {
 public:
  CpuStorage(std::shared_ptr<Ledger> ledger, DataType type, const Shape &shape, bool staged);

  void write(const void *data, size_t bytes) override;
  void read(void *data, size_t bytes) override;

  // Takes what was last written to a staged tensor. Called before a run.
  void take_staged();

  template <class T>
  T *data() const {
    return static_cast<T *>(front_.data());
  }
  float *f32() const { return data<float>(); }

  // Grows with each change, so that a program knows when to transform a weight anew.
  uint64_t version() const { return version_; }
  void changed() { version_++; }

 private:
  Block front_, back_;  // back: staged tensors only
  bool staged_, pending_ = false;
  std::mutex staging_;  // guards back_ and pending_, and front_ while they swap
  std::atomic<uint64_t> version_{1};
};

}  // namespace gapcam::cpu
