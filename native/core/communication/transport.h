// What carries bytes between ranks. One thread makes all calls; all ranks make the same ones.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace gapcam {

class Transport {
 public:
  virtual ~Transport() = default;

  // Finds the other ranks, once a process.
  virtual void start(int &rank, int &size) = 0;
  virtual void gather(const void *own, void *all, size_t bytes) = 0;
  virtual void broadcast(void *data, size_t bytes, int root) = 0;
  virtual void sum(std::vector<float> &numbers, bool fast) = 0;
  virtual void barrier() = 0;
  virtual void finish() = 0;

  // `"library": ..., "version": ..., "abi": ...`
  virtual std::string describe() const = 0;
};

}  // namespace gapcam
