#include "storage.h"

#include <cstring>

namespace gapcam::cpu {

CpuStorage::CpuStorage(std::shared_ptr<Ledger> ledger, DataType type, const Shape &shape,
                       bool staged)
    : staged_(staged) {
  const auto bytes = static_cast<size_t>(byte_count(type, shape));
  const std::string purpose = "a tensor of shape " + to_string(shape);
  front_ = Block(ledger, bytes, purpose);
  if (staged) back_ = Block(ledger, bytes, purpose);
}

void CpuStorage::write(const void *data, size_t bytes) {
  if (staged_) {
    std::lock_guard lock(staging_);
    std::memcpy(back_.data(), data, bytes);
    pending_ = true;
  } else {
    std::memcpy(front_.data(), data, bytes);
  }
  changed();
}

void CpuStorage::read(void *data, size_t bytes) {
  std::lock_guard lock(staging_);
  std::memcpy(data, pending_ ? back_.data() : front_.data(), bytes);
}

void CpuStorage::take_staged() {
  if (!staged_) return;
  std::lock_guard lock(staging_);
  if (pending_) front_.swap(back_);
  pending_ = false;
}

}  // namespace gapcam::cpu
