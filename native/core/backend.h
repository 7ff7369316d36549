// What a backend implements. The C interface in abi/ checks handles, arguments and shapes,
// records graphs and serialises calls; a backend only ever sees graphs that are valid.
#pragma once

#include <memory>
#include <string>

#include "graph.h"
#include "ledger.h"

namespace gapcam {

// Memory of one tensor of the device, in host order.
class Storage {
 public:
  virtual ~Storage() = default;
  // `bytes` is the tensor's exact size. A staged tensor's write may run beside a program.
  virtual void write(const void *data, size_t bytes) = 0;
  virtual void read(void *data, size_t bytes) = 0;
};

// A compiled program. It keeps the storages of the graph alive.
class Executable {
 public:
  virtual ~Executable() = default;
  virtual void run(uint32_t phases) = 0;
  // Copies a readable value of the graph to the host, in host order.
  virtual void read(ValueId value, void *data, size_t bytes) = 0;
  // The JSON of gapcam_program_describe.
  virtual std::string describe() const = 0;
};

struct DeviceOptions {
  int index = 0;
  gapcam_precision precision = GAPCAM_PRECISION_F32;
  int threads = 0;
  bool synchronous = false;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::shared_ptr<Storage> allocate(DataType type, const Shape &shape, bool staged) = 0;
  // Why an operation cannot be part of a program; "" if it can. `operation` is not in the graph
  // yet.
  virtual std::string refusal(const Graph &graph, const Operation &operation) const = 0;
  virtual std::unique_ptr<Executable> compile(std::shared_ptr<const Graph> graph) = 0;
  // How this device's part of programs on several ranks reaches the others' devices, which all of
  // them ask at once.
  virtual std::shared_ptr<Communicator> join(std::shared_ptr<Communicator> ranks) { return ranks; }

  virtual std::string describe() const = 0;
  virtual uint64_t free_bytes() const = 0;  // 0: unknown
  const Ledger &ledger() const { return *ledger_; }

 protected:
  // Shared, because a storage may outlive its device handle inside a call in flight.
  std::shared_ptr<Ledger> ledger_ = std::make_shared<Ledger>();
};

// Each backend library defines these two.
std::unique_ptr<Device> open_device(const DeviceOptions &options);
std::string describe_backend();

}  // namespace gapcam
