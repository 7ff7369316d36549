// What joins the processes of one run, its ranks. All ranks must call the functions that exchange
// something, in the same order. They throw GAPCAM_RANK_FAILED where another rank cannot go on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gapcam {

class Communicator {
 public:
  virtual ~Communicator() = default;

  int rank() const { return rank_; }
  int size() const { return size_; }

  // `all` receives the `bytes` of each rank, in the order of ranks.
  virtual void all_gather(const void *own, void *all, size_t bytes) = 0;
  virtual void broadcast(void *data, size_t bytes, int root) = 0;

  // Sums numbers over the ranks, in place. In the order of ranks, so that the sums are the same on
  // every rank and with every library; `fast`: in whatever order the library likes. Who waits in
  // vain, for a rank that died, goes on without the numbers.
  virtual void sum(const std::shared_ptr<std::vector<float>> &numbers, bool fast) = 0;

  // Ends what joins the ranks; nothing can be exchanged any more.
  virtual void leave() = 0;
  // Tells the others why this rank cannot go on.
  virtual void fail(const std::string &reason) = 0;
  // Waits until the run cannot go on, and gives why; "" once it was left.
  virtual std::string wait_for_failure() = 0;

  // The JSON of gapcam_communicator_describe.
  virtual std::string describe() const = 0;

 protected:
  int rank_ = 0, size_ = 1;
};

}  // namespace gapcam
