// Ranks that another of gapcam's libraries has joined: a process holds one MPI, whichever of its
// devices' libraries asks. Reached through that library's C interface.
#pragma once

#include "communicator.h"
#include "gapcam.h"

namespace gapcam {

class LentCommunicator : public Communicator {
 public:
  // `library`: the file of the other one, which is open; `handle`: its communicator.
  LentCommunicator(const std::string &library, gapcam_handle handle);

  void all_gather(const void *own, void *all, size_t bytes) override;
  void broadcast(void *data, size_t bytes, int root) override;
  void sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) override;
  // Nothing: it is the other library's.
  void leave() override {}
  void fail(const std::string &reason) override;
  std::string wait_for_failure() override;
  std::string describe() const override;

 private:
  template <class Function>
  void find(Function &function, const char *name);

  void *library_ = nullptr;
  gapcam_handle handle_;
  decltype(&gapcam_communicator_describe) describe_ = nullptr;
  decltype(&gapcam_communicator_broadcast) broadcast_ = nullptr;
  decltype(&gapcam_communicator_all_gather) all_gather_ = nullptr;
  decltype(&gapcam_communicator_all_reduce) all_reduce_ = nullptr;
  decltype(&gapcam_communicator_abort) abort_ = nullptr;
  decltype(&gapcam_communicator_watch) watch_ = nullptr;
};

}  // namespace gapcam
