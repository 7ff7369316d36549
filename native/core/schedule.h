// A program as steps over one arena of memory, the same for every backend: which buffers are alive
// when, where each lies, and what is said of it all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gapcam {

class Storage;

// Where an operand lives: in a tensor of the device, or in a buffer of the arena.
struct View {
  Storage *storage = nullptr;
  int buffer = -1;
  size_t offset = 0;  // within the buffer, in bytes
  size_t bytes = 0;   // of the buffer from there on; 0 for all of it
  explicit operator bool() const { return storage || buffer >= 0; }
};

// One action of the program.
struct Step {
  uint32_t phase = 0;
  std::string operation, name, algorithm;
  double flops = 0, bytes = 0;
  int launches = 0;  // kernels that a GPU is given
  std::function<void()> body;
  uint64_t runs = 0;
  double milliseconds = 0;
};

class Schedule {
 public:
  // Buffers lie at multiples of `alignment` bytes.
  explicit Schedule(size_t alignment) : alignment_(alignment) {}

  // Starts a step; what is used until the next one starts belongs to it.
  Step &begin(uint32_t phase, const std::string &operation, const std::string &name);
  Step &current() { return steps_.back(); }
  std::vector<Step> &steps() { return steps_; }
  const std::vector<Step> &steps() const { return steps_; }

  // A buffer, alive from the first step that uses it to the last.
  View make(size_t bytes);
  // A buffer that is alive always.
  View make_forever(size_t bytes);
  void keep(const View &view);
  void use(const View &view);

  // Memory that each step may overwrite; enough for whoever asks for most.
  void reserve_scratch(size_t bytes);
  const View &scratch() const { return scratch_; }

  // Gives each buffer its place: the largest first, each at the lowest place where no buffer lies
  // that is alive at the same time.
  void place();
  size_t bytes() const { return bytes_; }
  // Where in the arena a view of a buffer lies.
  size_t offset(const View &view) const {
    return buffers_[static_cast<size_t>(view.buffer)].offset + view.offset;
  }

  // The steps as a JSON array; see gapcam_program_describe.
  std::string describe() const;

 private:
  // A piece of the arena, alive from step `first` to step `last`.
  struct Buffer {
    size_t bytes = 0, offset = 0;
    int first = -1, last = -1;
    bool forward = false, backward = false;  // phases that use it
    bool forever = false;
  };

  Buffer &buffer(const View &view) { return buffers_[static_cast<size_t>(view.buffer)]; }

  size_t alignment_;
  std::vector<Step> steps_;
  std::vector<Buffer> buffers_;
  View scratch_;
  size_t scratch_bytes_ = 0, bytes_ = 0;
};

}  // namespace gapcam
