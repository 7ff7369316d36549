#include "gpu.h"

#include <utility>
#include <vector>

#include "error.h"

namespace gapcam::cuda {

namespace {

// What cuBLAS may use; it would otherwise allocate by itself, also while a graph is captured.
constexpr size_t cublas_workspace_bytes = size_t{32} << 20;

// Whether a device of this process failed.
std::atomic<bool> failed_before{false};

const char *precision_name(gapcam_precision precision) {
  return precision == GAPCAM_PRECISION_BF16   ? "bf16"
         : precision == GAPCAM_PRECISION_TF32 ? "tf32"
                                              : "f32";
}

}  // namespace

std::string size_text(size_t bytes) {
  const double value = static_cast<double>(bytes);
  if (bytes >= (size_t{1} << 30)) return format("%.1f GiB", value / (1 << 30));
  if (bytes >= (size_t{1} << 20)) return format("%.1f MiB", value / (1 << 20));
  return format("%zu bytes", bytes);
}

Gpu::Gpu(const DeviceOptions &options) : options_(options), libraries_(cuda::libraries()) {
  try {
    open_device();
  } catch (...) {
    close();
    throw;
  }
}

Gpu::~Gpu() {
  enter_to_free();
  close();
}

void Gpu::open_device() {
  const auto unavailable = [&](driver::Result result, const char *action) {
    if (result == driver::success) return;
    // cuDNN and cuBLAS hold on to a context that failed until the process ends.
    throw Error(
        GAPCAM_DEVICE_UNAVAILABLE,
        format("Cannot open the CUDA device: the driver cannot %s: %s%s", action,
               cuda::describe(driver(), result).c_str(),
               failed_before ? "; it failed earlier in this process: start a new one" : ""));
  };
  unavailable(driver().cuInit(0), "start");
  int32_t count = 0;
  unavailable(driver().cuDeviceGetCount(&count), "count the devices");
  if (options_.index >= count) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                count == 0
                    ? std::string("Cannot open the CUDA device: the driver finds none")
                    : format("Cannot open CUDA device %d: the driver finds %d, numbered from 0",
                             options_.index, count));
  }
  unavailable(driver().cuDeviceGet(&device_, options_.index), "name the device");
  char name[256] = "";
  unavailable(driver().cuDeviceGetName(name, sizeof name, device_), "name the device");
  name_ = name;
  int32_t major = 0, minor = 0;
  unavailable(driver().cuDeviceGetAttribute(&major, driver::compute_capability_major, device_),
              "tell the compute capability");
  unavailable(driver().cuDeviceGetAttribute(&minor, driver::compute_capability_minor, device_),
              "tell the compute capability");
  capability_ = major * 10 + minor;
  if (options_.precision != GAPCAM_PRECISION_F32 && capability_ < 80) {
    throw Error(GAPCAM_UNSUPPORTED,
                format("Cannot open %s with precision %s: it has compute capability %d.%d, "
                       "expected 8.0 or newer; use f32",
                       name, precision_name(options_.precision), major, minor));
  }
  unavailable(driver().cuDeviceTotalMem_v2(&total_bytes_, device_), "tell the memory");
  unavailable(driver().cuDevicePrimaryCtxRetain(&context_, device_), "open the device");
  unavailable(driver().cuCtxSetCurrent(context_), "use the device");
  unavailable(driver().cuStreamCreate(&compute_, driver::stream_non_blocking), "make a stream");
  unavailable(driver().cuStreamCreate(&copy_, driver::stream_non_blocking), "make a stream");
  module_ = std::make_unique<KernelModule>(libraries_, capability_);

  cuda::check_cudnn(libraries_, libraries_.cudnn.cudnnCreate(&cudnn_), "start cuDNN");
  cuda::check_cudnn(libraries_, libraries_.cudnn.cudnnSetStream(cudnn_, compute_), "start cuDNN");
  const auto cublas_check = [&](cublas::Status status) {
    if (status == 0) return;
    throw Error(GAPCAM_DEVICE_UNAVAILABLE, format("Cannot open the CUDA device: cuBLAS reports %s",
                                                  libraries_.cublas.cublasGetStatusString(status)));
  };
  cublas_check(libraries_.cublas.cublasCreate_v2(&cublas_));
  cublas_check(libraries_.cublas.cublasSetStream_v2(cublas_, compute_));
  cublas_check(libraries_.cublas.cublasSetMathMode(
      cublas_,
      options_.precision == GAPCAM_PRECISION_TF32 ? cublas::tf32_math : cublas::pedantic_math));
  cuda::check(libraries_, driver().cuMemAlloc_v2(&cublas_workspace_, cublas_workspace_bytes),
              "allocate cuBLAS's workspace");
  cublas_check(libraries_.cublas.cublasSetWorkspace_v2(
      cublas_, reinterpret_cast<void *>(cublas_workspace_), cublas_workspace_bytes));
}

void Gpu::close() noexcept {
  if (!context_) return;
  if (cublas_) libraries_.cublas.cublasDestroy_v2(cublas_);
  if (cudnn_) libraries_.cudnn.cudnnDestroy(cudnn_);
  if (cublas_workspace_) driver().cuMemFree_v2(cublas_workspace_);
  if (conversion_) driver().cuMemFree_v2(conversion_);
  module_.reset();
  if (copy_) driver().cuStreamDestroy_v2(copy_);
  if (compute_) driver().cuStreamDestroy_v2(compute_);
  driver().cuDevicePrimaryCtxRelease_v2(device_);
}

void Gpu::interrupt(const std::string &reason) const {
  std::lock_guard lock(failure_mutex_);
  interruption_ = reason;
  interrupted_ = true;
}

void Gpu::check_interruption() const {
  if (!interrupted_) return;
  std::lock_guard lock(failure_mutex_);
  throw Error(GAPCAM_RANK_FAILED, interruption_);
}

void Gpu::identify(unsigned char *bytes) const {
  check(driver().cuDeviceGetUuid_v2(bytes, device_), "tell the GPU's identity");
}

void Gpu::enter() const {
  check_interruption();
  if (failed_) {
    std::lock_guard lock(failure_mutex_);
    throw Error(
        GAPCAM_DEVICE_FAILED,
        "Cannot use the CUDA device after it failed: close it; the failure was: " + failure_);
  }
  check(driver().cuCtxSetCurrent(context_), "use the CUDA device");
}

void Gpu::enter_to_free() const noexcept { driver().cuCtxSetCurrent(context_); }

void Gpu::check(driver::Result result, const std::string &action) const {
  if (result == driver::success) return;
  const std::string message = "Cannot " + action + ": " + cuda::describe(driver(), result);
  if (result == driver::out_of_memory) throw Error(GAPCAM_OUT_OF_MEMORY, message);
  fail(message);
}

void Gpu::fail(const std::string &message) const {
  std::lock_guard lock(failure_mutex_);
  if (!failed_) failure_ = message;
  failed_ = failed_before = true;
  throw Error(GAPCAM_DEVICE_FAILED, message);
}

void Gpu::forgive() const {
  std::lock_guard lock(failure_mutex_);
  failed_ = false;
}

void Gpu::check_cause(const std::string &action) const {
  const driver::Result result = driver().cuStreamSynchronize(compute_);
  // While a program is recorded nothing can be waited for.
  if (result / 10 * 10 != driver::first_capture_error) check(result, action);
}

void Gpu::check_cudnn(cudnn::Status status, const std::string &action) const {
  if (status == 0) return;
  std::string message;
  try {
    cuda::check_cudnn(libraries_, status, action.c_str());
  } catch (const Error &error) {
    message = error.what();
  }
  check_cause(action);
  fail(message);
}

void Gpu::check_cublas(cublas::Status status, const std::string &action) const {
  if (status == 0) return;
  check_cause(action);
  fail("Cannot " + action + ": cuBLAS reports " + libraries_.cublas.cublasGetStatusString(status));
}

void Gpu::synchronise(const std::string &action) const {
  const driver::Result result = driver().cuStreamSynchronize(compute_);
  check_interruption();
  check(result, action);
}

void Gpu::check_allocation(driver::Result result, size_t bytes, const std::string &purpose) const {
  if (result == driver::out_of_memory) {
    throw Error(GAPCAM_OUT_OF_MEMORY,
                format("Cannot allocate %s for %s: %s of %s are free on %s",
                       size_text(bytes).c_str(), purpose.c_str(), size_text(free_bytes()).c_str(),
                       size_text(total_bytes_).c_str(), name_.c_str()));
  }
  check(result, "allocate " + size_text(bytes) + " for " + purpose);
}

void Gpu::reserve_conversion(size_t bytes) {
  if (bytes <= conversion_bytes_) return;
  // The old one goes last: without memory for a larger one, what it serves must go on.
  driver::Pointer larger = 0;
  check_allocation(driver().cuMemAlloc_v2(&larger, bytes), bytes, "copies to and from the host");
  const driver::Pointer old = std::exchange(conversion_, larger);
  conversion_bytes_ = bytes;
  if (!old) return;
  synchronise("finish what runs");
  check(driver().cuMemFree_v2(old), "free memory");
}

size_t Gpu::free_bytes() const {
  size_t free = 0, total = 0;
  return driver().cuMemGetInfo_v2(&free, &total) == driver::success ? free : 0;
}

void Gpu::refuse_size() {
  throw Error(GAPCAM_UNSUPPORTED, "Cannot run a kernel over so many elements; use a smaller batch");
}

void Gpu::launch_function(driver::Function function, int64_t blocks_x, int64_t blocks_y,
                          void **arguments) const {
  if (blocks_x <= 0 || blocks_y <= 0) return;
  if (blocks_x > 0x7fffffff || blocks_y > 0xffff) refuse_size();
  check(driver().cuLaunchKernel(function, static_cast<uint32_t>(blocks_x),
                                static_cast<uint32_t>(blocks_y), 1, block_threads, 1, 1, 0,
                                compute_, arguments, nullptr),
        "launch a kernel");
}

// ---- Memory -----------------------------------------------------------------------------------

Block::Block(std::shared_ptr<Gpu> gpu, size_t bytes, const std::string &purpose)
    : gpu_(std::move(gpu)) {
  if (bytes == 0) return;
  gpu_->check_allocation(gpu_->driver().cuMemAlloc_v2(&address_, bytes), bytes, purpose);
  bytes_ = bytes;
  gpu_->ledger().add(bytes_);
}

Block::~Block() {
  if (!address_) return;
  gpu_->enter_to_free();
  gpu_->driver().cuMemFree_v2(address_);
  gpu_->ledger().remove(bytes_);
}

Block::Block(Block &&other) noexcept { *this = std::move(other); }

Block &Block::operator=(Block &&other) noexcept {
  std::swap(gpu_, other.gpu_);
  std::swap(address_, other.address_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

PinnedBlock::PinnedBlock(std::shared_ptr<Gpu> gpu, size_t bytes) : gpu_(std::move(gpu)) {
  gpu_->check(gpu_->driver().cuMemHostAlloc(&data_, bytes, 0),
              "allocate " + size_text(bytes) + " of page-locked memory");
}

PinnedBlock::~PinnedBlock() {
  if (!data_) return;
  gpu_->enter_to_free();
  gpu_->driver().cuMemFreeHost(data_);
}

OwnedEvent::OwnedEvent(std::shared_ptr<Gpu> gpu, bool timed) : gpu_(std::move(gpu)) {
  gpu_->check(gpu_->driver().cuEventCreate(
                  &event_, timed ? driver::event_default : driver::event_disable_timing),
              "make an event");
}

OwnedEvent::~OwnedEvent() {
  gpu_->enter_to_free();
  gpu_->driver().cuEventDestroy_v2(event_);
}

void OwnedEvent::record(driver::Stream stream) const {
  gpu_->check(gpu_->driver().cuEventRecord(event_, stream), "record an event");
}

void OwnedEvent::wait() const {
  gpu_->check(gpu_->driver().cuEventSynchronize(event_), "wait for the GPU");
}

}  // namespace gapcam::cuda
