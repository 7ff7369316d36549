// Batch normalisation with the statistics of all ranks' batches.
#pragma once

#include <memory>
#include <vector>

#include "communication/communicator.h"
#include "kernels.h"

namespace gapcam::cpu {

class SyncNorm {
 public:
  explicit SyncNorm(std::shared_ptr<Communicator> communicator)
      : communicator_(std::move(communicator)) {}

  // Which calls this object.
  NormExchange exchange();

 private:
  // Gathers `numbers` and a count of every rank: `visit` is given each rank's, in order.
  template <class Visit>
  void gather(const double *numbers, int64_t how_many, double count, const Visit &visit);
  void moments(double *moments, int64_t channels, double *count);
  void sums(double *sums, int64_t numbers, double *count);

  std::shared_ptr<Communicator> communicator_;
  std::vector<double> own_, all_;
};

}  // namespace gapcam::cpu
