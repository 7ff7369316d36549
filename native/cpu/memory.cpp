#include "memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "error.h"

namespace gapcam::cpu {

namespace {

// The number in a one-line file, or `otherwise`.
uint64_t read_number(const char *path, uint64_t otherwise) {
  std::FILE *file = std::fopen(path, "re");
  if (!file) return otherwise;
  unsigned long long number = 0;
  const bool found = std::fscanf(file, "%llu", &number) == 1;
  std::fclose(file);
  return found ? number : otherwise;
}

uint64_t machine_memory() {
  std::FILE *file = std::fopen("/proc/meminfo", "re");
  if (!file) return 0;
  char line[256];
  unsigned long long kilobytes = 0;
  while (std::fgets(line, sizeof line, file)) {
    if (std::sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1) break;
  }
  std::fclose(file);
  return kilobytes * 1024;
}

constexpr size_t mapped_from = size_t{1} << 20;

}  // namespace

uint64_t available_memory() {
  uint64_t available = machine_memory();
  const uint64_t limit = read_number("/sys/fs/cgroup/memory.max", UINT64_MAX);
  if (limit != UINT64_MAX) {
    const uint64_t used = read_number("/sys/fs/cgroup/memory.current", 0);
    const uint64_t left = limit > used ? limit - used : 0;
    if (available == 0 || left < available) available = left;
  }
  return available;
}

Block::Block(std::shared_ptr<Ledger> ledger, size_t bytes, const std::string &purpose)
    : ledger_(std::move(ledger)) {
  if (bytes == 0) return;
  // Linux grants what it does not have and ends the process later, so ask first.
  if (bytes >= (size_t{64} << 20)) {
    const uint64_t available = available_memory();
    if (available != 0 && bytes > available) {
      throw Error(GAPCAM_OUT_OF_MEMORY,
                  format("Cannot allocate %zu bytes for %s: %llu bytes are available", bytes,
                         purpose.c_str(), static_cast<unsigned long long>(available)));
    }
  }
  if (bytes >= mapped_from) {
    void *mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped != MAP_FAILED) {
      madvise(mapped, bytes, MADV_HUGEPAGE);
      data_ = mapped;
    }
  } else if (posix_memalign(&data_, 64, bytes) == 0) {
    std::memset(data_, 0, bytes);
  } else {
    data_ = nullptr;
  }
  if (!data_) {
    throw Error(GAPCAM_OUT_OF_MEMORY, format("Cannot allocate %zu bytes for %s: the system refused",
                                             bytes, purpose.c_str()));
  }
  bytes_ = bytes;
  ledger_->add(bytes_);
}

Block::~Block() {
  if (!data_) return;
  if (bytes_ >= mapped_from) {
    munmap(data_, bytes_);
  } else {
    std::free(data_);
  }
  ledger_->remove(bytes_);
}

}  // namespace gapcam::cpu
