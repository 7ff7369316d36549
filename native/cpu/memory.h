// Memory that is counted, aligned and refused in a sentence when there is none.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "ledger.h"

namespace gapcam::cpu {

// Bytes that this process may still take: the machine's available memory, or less where a control
// group limits it. 0: unknown.
uint64_t available_memory();

// Zero-filled, 64-byte aligned, untouched pages not resident.
class Block {
 public:
  Block() = default;
  // `purpose` completes "Cannot allocate N bytes for ...".
  Block(std::shared_ptr<Ledger> ledger, size_t bytes, const std::string &purpose);
  ~Block();
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;
  Block(Block &&other) noexcept { swap(other); }
  Block &operator=(Block &&other) noexcept {
    swap(other);
    return *this;
  }
  void swap(Block &other) noexcept {
    std::swap(ledger_, other.ledger_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  void *data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<Ledger> ledger_;
  void *data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace gapcam::cpu
