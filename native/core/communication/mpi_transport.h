// Bytes over an MPI library.
#pragma once

#include <vector>

#include "mpi_library.h"
#include "transport.h"

namespace gapcam {

class MpiTransport : public Transport {
 public:
  // Throws where no library can be used.
  MpiTransport();

  void start(int &rank, int &size) override;
  void gather(const void *own, void *all, size_t bytes) override;
  void broadcast(void *data, size_t bytes, int root) override;
  void sum(std::vector<float> &numbers, bool fast) override;
  void barrier() override;
  void finish() override;
  std::string describe() const override;

 private:
  void sum_in_order(std::vector<float> &numbers);
  void check(int code, const char *action) const;

  const MpiLibrary &mpi_;
  int size_ = 1;
  std::vector<float> chunks_, summed_;
};

}  // namespace gapcam
