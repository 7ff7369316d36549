#include "storage.h"

#include <cstring>

namespace gapcam::cuda {

namespace {

// Kernels handle groups of 16 bytes, whatever the tensor's size.
size_t padded(size_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

CudaStorage::CudaStorage(std::shared_ptr<Gpu> gpu, DataType type, const Shape &shape, bool staged)
    : gpu_(std::move(gpu)), shape_(shape), staged_(staged) {
  gpu_->enter();
  const auto bytes = static_cast<size_t>(byte_count(type, shape));
  const std::string purpose = "a tensor of shape " + to_string(shape);
  permuted_ = type == DataType::f32 && shape.size() == 4 && shape[1] > 1 && shape[2] * shape[3] > 1;
  if (permuted_) gpu_->reserve_conversion(bytes);
  front_ = Block(gpu_, padded(bytes), purpose);
  if (staged) {
    back_ = Block(gpu_, padded(bytes), purpose);
    pinned_ = std::make_unique<PinnedBlock>(gpu_, bytes);
    uploaded_ = std::make_unique<OwnedEvent>(gpu_, false);
    consumed_ = std::make_unique<OwnedEvent>(gpu_, false);
  }
  gpu_->check(gpu_->driver().cuMemsetD8Async(front_.address(), 0, padded(bytes), gpu_->stream()),
              "fill a tensor with zeros");
}

CudaStorage::~CudaStorage() {
  if (!gpu_) return;
  // The copy may still be under way.
  gpu_->enter_to_free();
  if (staged_) gpu_->driver().cuStreamSynchronize(gpu_->copy_stream());
}

MapCopy CudaStorage::permutation(bool to_host) const {
  const int64_t channels = shape_[1], pixels = shape_[2] * shape_[3];
  MapCopy copy{};
  copy.batch = shape_[0];
  copy.pixels = pixels;
  copy.channels = copy.filled = channels;
  copy.source_batch = copy.target_batch = channels * pixels;
  (to_host ? copy.source_pixel : copy.target_pixel) = channels;
  (to_host ? copy.source_channel : copy.target_channel) = 1;
  (to_host ? copy.target_pixel : copy.source_pixel) = 1;
  (to_host ? copy.target_channel : copy.source_channel) = pixels;
  copy.channels_innermost = !to_host;
  return copy;
}

void CudaStorage::write(const void *data, size_t bytes) {
  gpu_->enter();
  const driver::Functions &driver = gpu_->driver();
  if (staged_) {
    std::lock_guard lock(staging_);
    uploaded_->wait();
    std::memcpy(pinned_->data(), data, bytes);
    gpu_->check(driver.cuStreamWaitEvent(gpu_->copy_stream(), consumed_->get(), 0),
                "wait for the last batch");
    gpu_->check(
        driver.cuMemcpyHtoDAsync_v2(back_.address(), pinned_->data(), bytes, gpu_->copy_stream()),
        "copy a batch to the GPU");
    uploaded_->record(gpu_->copy_stream());
    pending_ = true;
  } else if (bytes % 4 == 0 && bytes <= sizeof(Words) && !permuted_) {
    // Settings and counters, written at each step: the launch carries them, so nothing waits.
    Words words{};
    std::memcpy(words.word, data, bytes);
    gpu_->launch(gpu_->kernels().write_words, 1, 1, front_.address(), words,
                 static_cast<int>(bytes / 4));
  } else {
    gpu_->check(driver.cuMemcpyHtoDAsync_v2(permuted_ ? gpu_->conversion() : front_.address(), data,
                                            bytes, gpu_->stream()),
                "copy a tensor to the GPU");
    if (permuted_) {
      gpu_->launch_over(gpu_->kernels().copy_f32_to_f32, static_cast<int64_t>(bytes / 4),
                        gpu_->conversion(), front_.address(), permutation(false));
    }
    gpu_->synchronise("copy a tensor to the GPU");
  }
  changed();
}

void CudaStorage::read(void *data, size_t bytes) {
  gpu_->enter();
  const driver::Functions &driver = gpu_->driver();
  std::lock_guard lock(staging_);
  driver::Pointer source = front_.address();
  if (pending_) {
    uploaded_->wait();
    source = back_.address();
  } else if (permuted_) {
    gpu_->launch_over(gpu_->kernels().copy_f32_to_f32, static_cast<int64_t>(bytes / 4), source,
                      gpu_->conversion(), permutation(true));
    source = gpu_->conversion();
  }
  gpu_->check(driver.cuMemcpyDtoHAsync_v2(data, source, bytes, gpu_->stream()),
              "copy a tensor from the GPU");
  gpu_->synchronise("copy a tensor from the GPU");
}

void CudaStorage::take_staged() {
  if (!staged_) return;
  std::lock_guard lock(staging_);
  if (!pending_) return;
  const driver::Functions &driver = gpu_->driver();
  gpu_->check(driver.cuStreamWaitEvent(gpu_->stream(), uploaded_->get(), 0), "wait for a batch");
  if (permuted_) {
    gpu_->launch_over(gpu_->kernels().copy_f32_to_f32, element_count(shape_), back_.address(),
                      front_.address(), permutation(false));
  } else {
    gpu_->check(driver.cuMemcpyDtoDAsync_v2(front_.address(), back_.address(), back_.bytes(),
                                            gpu_->stream()),
                "take a batch");
  }
  consumed_->record(gpu_->stream());
  pending_ = false;
}

}  // namespace gapcam::cuda
