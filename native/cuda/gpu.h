// An open GPU: its context, streams, library handles and kernels.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>

#include "backend.h"
#include "kernel_module.h"
#include "libraries.h"
#include "plans.h"

namespace gapcam::cuda {

class Gpu {
 public:
  explicit Gpu(const DeviceOptions &options);
  ~Gpu();
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  // Makes the GPU's context this thread's. Throws GAPCAM_DEVICE_FAILED if the GPU failed before.
  void enter() const;
  // As enter(), for destructors.
  void enter_to_free() const noexcept;

  // Throws unless `result` is 0. `action` completes "Cannot ...". Unless memory ran out, the GPU is
  // unusable from then on: a failed kernel leaves nothing that could be trusted.
  void check(driver::Result result, const std::string &action) const;
  // As check(); where memory ran out, the message says how much was asked for and is free.
  void check_allocation(driver::Result result, size_t bytes, const std::string &purpose) const;
  // As check(). A kernel that failed earlier shows in these libraries too: then the driver says
  // what it was.
  void check_cudnn(cudnn::Status status, const std::string &action) const;
  void check_cublas(cublas::Status status, const std::string &action) const;

  // Takes back a failure while a program was recorded: nothing ran. A GPU that did fail says so
  // again.
  void forgive() const;

  // Waits for what was enqueued. Throws GAPCAM_RANK_FAILED once the run was interrupted.
  void synchronise(const std::string &action) const;

  // Another rank cannot go on: what this one computed meanwhile is of no use. `reason` is said from
  // now on.
  void interrupt(const std::string &reason) const;
  // 16 bytes that no other GPU has.
  void identify(unsigned char *bytes) const;

  const Libraries &libraries() const { return libraries_; }
  const driver::Functions &driver() const { return libraries_.driver; }
  const Kernels &kernels() const { return module_->kernels(); }
  driver::Stream stream() const { return compute_; }
  driver::Stream copy_stream() const { return copy_; }
  cudnn::Handle cudnn() const { return cudnn_; }
  cublas::Handle cublas() const { return cublas_; }
  const DeviceOptions &options() const { return options_; }
  bool bf16() const { return options_.precision == GAPCAM_PRECISION_BF16; }
  const std::string &name() const { return name_; }
  int capability() const { return capability_; }
  size_t total_bytes() const { return total_bytes_; }
  size_t free_bytes() const;
  Ledger &ledger() const { return *ledger_; }
  void set_ledger(std::shared_ptr<Ledger> ledger) { ledger_ = std::move(ledger); }

  // Memory in which a tensor is converted on its way to or from the host; of this device, whatever
  // tensor is converted. Grown while tensors and programs are made, never while they run.
  void reserve_conversion(size_t bytes);
  driver::Pointer conversion() const { return conversion_; }

  // Runs `kernel` on blocks_x * blocks_y blocks of block_threads threads.
  template <class... Parameters, class... Arguments>
  void launch(const Kernel<Parameters...> &kernel, int64_t blocks_x, int64_t blocks_y,
              Arguments... arguments) const {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "a kernel's argument is missing");
    launch_converted<Parameters...>(kernel.function, blocks_x, blocks_y,
                                    narrowed<Parameters>(arguments)...);
  }
  // With one thread for each of `count` elements.
  template <class... Parameters, class... Arguments>
  void launch_over(const Kernel<Parameters...> &kernel, int64_t count,
                   Arguments... arguments) const {
    launch(kernel, (count + block_threads - 1) / block_threads, 1, arguments...);
  }

 private:
  // An argument as the kernel takes it. What does not fit is refused, not cut.
  template <class Parameter, class Argument>
  static Parameter narrowed(Argument argument) {
    const auto parameter = static_cast<Parameter>(argument);
    if constexpr (std::is_integral_v<Parameter> && std::is_integral_v<Argument>) {
      if (static_cast<Argument>(parameter) != argument) refuse_size();
    }
    return parameter;
  }
  [[noreturn]] static void refuse_size();

  template <class... Parameters>
  void launch_converted(driver::Function function, int64_t blocks_x, int64_t blocks_y,
                        Parameters... parameters) const {
    void *addresses[] = {&parameters...};
    launch_function(function, blocks_x, blocks_y, addresses);
  }
  void launch_function(driver::Function function, int64_t blocks_x, int64_t blocks_y,
                       void **arguments) const;
  void open_device();
  void close() noexcept;
  [[noreturn]] void fail(const std::string &message) const;
  void check_cause(const std::string &action) const;
  void check_interruption() const;

  DeviceOptions options_;
  const Libraries &libraries_;
  std::shared_ptr<Ledger> ledger_;
  driver::Device device_ = 0;
  driver::Context context_ = nullptr;
  driver::Stream compute_ = nullptr, copy_ = nullptr;
  cudnn::Handle cudnn_ = nullptr;
  cublas::Handle cublas_ = nullptr;
  driver::Pointer cublas_workspace_ = 0, conversion_ = 0;
  size_t conversion_bytes_ = 0;
  std::unique_ptr<KernelModule> module_;
  std::string name_;
  int capability_ = 0;
  size_t total_bytes_ = 0;
  mutable std::mutex failure_mutex_;
  mutable std::string failure_, interruption_;
  mutable std::atomic<bool> failed_{false}, interrupted_{false};
};

// Memory on the GPU, counted in the device's ledger.
class Block {
 public:
  Block() = default;
  // `purpose` completes "Cannot allocate N bytes for ...".
  Block(std::shared_ptr<Gpu> gpu, size_t bytes, const std::string &purpose);
  ~Block();
  Block(Block &&other) noexcept;
  Block &operator=(Block &&other) noexcept;

  driver::Pointer address() const { return address_; }
  size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<Gpu> gpu_;
  driver::Pointer address_ = 0;
  size_t bytes_ = 0;
};

// Page-locked memory of the host.
class PinnedBlock {
 public:
  PinnedBlock() = default;
  PinnedBlock(std::shared_ptr<Gpu> gpu, size_t bytes);
  ~PinnedBlock();
  PinnedBlock(const PinnedBlock &) = delete;
  PinnedBlock &operator=(const PinnedBlock &) = delete;
  void *data() const { return data_; }

 private:
  std::shared_ptr<Gpu> gpu_;
  void *data_ = nullptr;
};

class OwnedEvent {
 public:
  OwnedEvent(std::shared_ptr<Gpu> gpu, bool timed);
  ~OwnedEvent();
  OwnedEvent(const OwnedEvent &) = delete;
  OwnedEvent &operator=(const OwnedEvent &) = delete;
  driver::Event get() const { return event_; }
  void record(driver::Stream stream) const;
  void wait() const;

 private:
  std::shared_ptr<Gpu> gpu_;
  driver::Event event_ = nullptr;
};

// "12.3 GiB", for messages.
std::string size_text(size_t bytes);

}  // namespace gapcam::cuda
