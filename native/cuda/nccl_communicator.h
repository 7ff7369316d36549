// Ranks whose GPUs NCCL joins; between hosts' memories they stay joined as they were.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "communication/communicator.h"
#include "gpu.h"
#include "nccl_library.h"

namespace gapcam::cuda {

class NcclCommunicator : public Communicator {
 public:
  // All ranks: holds their GPUs and libraries against each other, and joins them. `ranks`: how they
  // reach each other so far.
  NcclCommunicator(std::shared_ptr<Gpu> gpu, std::shared_ptr<Communicator> ranks);
  // After the recordings that use it.
  ~NcclCommunicator() override;

  // Enqueued on the device's stream, as kernels are; all memory is the device's.

  // `all` receives the `bytes` of each rank, in the order of ranks.
  void gather(driver::Pointer own, driver::Pointer all, size_t bytes) const;
  // `all` receives of each rank the `count` f32 that it has for this one; `own` has as many for
  // each, in the order of ranks.
  void exchange(driver::Pointer own, driver::Pointer all, size_t count) const;
  // In place, in whatever order NCCL likes.
  void sum(driver::Pointer data, size_t count) const;

  // Of the host's memory.
  void all_gather(const void *own, void *all, size_t bytes) override;
  void broadcast(void *data, size_t bytes, int root) override;
  void sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) override;
  // Nothing: it ends with the last program that uses it.
  void leave() override {}
  void fail(const std::string &reason) override;
  std::string wait_for_failure() override;
  std::string describe() const override;

 private:
  struct State;

  void compare_ranks() const;
  nccl::UniqueId share_id() const;
  void join(const nccl::UniqueId &id);
  void try_out() const;
  // Calls NCCL unless the run failed; `call` is given the communicator.
  template <class Call>
  void enqueue(const char *action, const Call &call) const;
  void check(nccl::Result result, const char *action) const;
  static void interrupt(const std::shared_ptr<State> &state, const std::string &sentence);
  static void watch_errors(const std::shared_ptr<State> &state);

  const NcclLibrary &nccl_;
  const std::shared_ptr<Gpu> gpu_;
  const std::shared_ptr<Communicator> ranks_;
  const std::shared_ptr<State> state_;  // with the threads, which may outlive this object
  std::thread errors_;
};

}  // namespace gapcam::cuda
