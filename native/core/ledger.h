// Counts what a device holds, so that a leak is a number that a test can read.
#pragma once

#include <atomic>
#include <cstdint>

namespace gapcam {

class Ledger {
 public:
  void add(uint64_t bytes) {
    allocations_++;
    total_ += bytes;
    const uint64_t live = live_ += bytes;
    uint64_t peak = peak_;
    while (peak < live && !peak_.compare_exchange_weak(peak, live)) {
    }
  }
  void remove(uint64_t bytes) {
    allocations_--;
    live_ -= bytes;
    total_ -= bytes;
  }
  uint64_t live() const { return live_; }
  uint64_t peak() const { return peak_; }
  uint64_t allocations() const { return allocations_; }
  // Over all devices of the process.
  static uint64_t total() { return total_; }

 private:
  std::atomic<uint64_t> live_{0}, peak_{0}, allocations_{0};
  inline static std::atomic<uint64_t> total_{0};
};

}  // namespace gapcam
