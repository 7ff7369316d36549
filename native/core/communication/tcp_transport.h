// Bytes over TCP, all through rank 0: for what ranks agree in, where NCCL carries the gradients and
// no MPI is there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transport.h"

namespace gapcam {

// Where a run's ranks find each other.
struct TcpRun {
  std::string address;  // rank 0's
  int port;             // or one of the few after it
  int rank, size;
  std::string name;  // of the run
};

class TcpTransport : public Transport {
 public:
  explicit TcpTransport(TcpRun run) : run_(std::move(run)) {}
  ~TcpTransport() override;

  void start(int &rank, int &size) override;
  void gather(const void *own, void *all, size_t bytes) override;
  void broadcast(void *data, size_t bytes, int root) override;
  void sum(std::vector<float> &numbers, bool fast) override;
  void barrier() override;
  void finish() override;
  std::string describe() const override;

 private:
  struct Greeting;
  Greeting greeting() const;
  bool knows(const Greeting &other) const;
  void accept_all();
  void connect_to_first();
  void send(int rank, const void *data, size_t bytes) const;
  void receive(int rank, void *data, size_t bytes) const;

  const TcpRun run_;
  std::vector<int> links_;  // rank 0: by rank; else: to rank 0
};

}  // namespace gapcam
