// A backend whose tensors hold nothing: for tests of what backends share.
#include "backend.h"

namespace gapcam {

namespace {

class NoStorage : public Storage {
  void write(const void *, size_t) override {}
  void read(void *, size_t) override {}
};

class NoDevice : public Device {
  std::shared_ptr<Storage> allocate(DataType, const Shape &, bool) override {
    return std::make_shared<NoStorage>();
  }
  std::string refusal(const Graph &, const Operation &) const override { return ""; }
  std::unique_ptr<Executable> compile(std::shared_ptr<const Graph>) override {
    throw Error(GAPCAM_UNSUPPORTED, "Cannot compile a program without a backend");
  }
  std::string describe() const override { return std::string(100'000, 'd'); }
  uint64_t free_bytes() const override { return 0; }
};

}  // namespace

std::unique_ptr<Device> open_device(const DeviceOptions &) { return std::make_unique<NoDevice>(); }
std::string describe_backend() { return std::string(70'000, 'b'); }

}  // namespace gapcam
