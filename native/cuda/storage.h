// A tensor of the device. Feature maps and convolution weights (f32 of rank 4) lie with their
// channels innermost: NHWC, OHWI; the host sees NCHW and OIHW. All others lie as the host sees
// them.
#pragma once

#include <atomic>
#include <mutex>

#include "gpu.h"

namespace gapcam::cuda {

class CudaStorage : public Storage {
 public:
  CudaStorage(std::shared_ptr<Gpu> gpu, DataType type, const Shape &shape, bool staged);
  // One without memory, for a device that is only described.
  CudaStorage() = default;
  ~CudaStorage() override;

  void write(const void *data, size_t bytes) override;
  void read(void *data, size_t bytes) override;

  // Takes what was last written to a staged tensor, on the device's stream. Called before a run.
  void take_staged();

  driver::Pointer address() const { return front_.address(); }

  // Grows with each change, so that a program knows when to prepare a weight anew.
  uint64_t version() const { return version_; }
  void changed() { version_++; }

 private:
  // Between the host's order and ours.
  MapCopy permutation(bool to_host) const;

  std::shared_ptr<Gpu> gpu_;
  Shape shape_;
  bool permuted_ = false, staged_ = false, pending_ = false;
  // back: staged tensors only, filled on the copy stream, in the host's order.
  Block front_, back_;
  std::unique_ptr<PinnedBlock> pinned_;
  std::unique_ptr<OwnedEvent> uploaded_, consumed_;
  std::mutex staging_;  // guards back_, pinned_ and pending_
  std::atomic<uint64_t> version_{1};
};

}  // namespace gapcam::cuda
