// What the tests of our convolutions share: memory between sentinels, maps in blocks of channels,
// and the norm of a difference. Each test is one file.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

int failures = 0;
int64_t comparisons = 0;

void fail(const std::string &what) {
  std::printf("FAILED %s\n", what.c_str());
  failures++;
}

// 64-byte aligned memory between sentinels.
template <class T>
class Guarded {
 public:
  explicit Guarded(int64_t count) : count_(count), bytes_(static_cast<size_t>(count) * sizeof(T)) {
    memory_.assign(bytes_ + 3 * guard, 0x5a);
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    data_ = memory_.data() + guard + (64 - (address + guard) % 64) % 64;
  }
  T *data() { return reinterpret_cast<T *>(data_); }
  const T *data() const { return reinterpret_cast<const T *>(data_); }
  int64_t count() const { return count_; }
  T &operator[](int64_t i) { return data()[i]; }
  T operator[](int64_t i) const { return data()[i]; }
  bool intact() const {
    for (size_t i = 0; i < guard; i++) {
      if (data_[bytes_ + i] != 0x5a || data_[-static_cast<std::ptrdiff_t>(i) - 1] != 0x5a) {
        return false;
      }
    }
    return true;
  }
  void fill(int byte) { std::memset(data_, byte, bytes_); }

 private:
  static constexpr size_t guard = 128;
  int64_t count_;
  size_t bytes_;
  std::vector<unsigned char> memory_;
  unsigned char *data_;
};

using Floats = Guarded<float>;

struct Random {
  std::mt19937 engine{12345};
  std::normal_distribution<float> normal;
  float operator()() { return normal(engine); }
};

// A map in blocks of channels.
struct Blocked {
  int64_t batch, channels, height, width, block;
  int64_t blocks() const { return (channels + block - 1) / block; }
  int64_t elements() const { return batch * blocks() * block * height * width; }
  int64_t at(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return (((n * blocks() + c / block) * height + y) * width + x) * block + c % block;
  }
};

template <class Body>
void each(const Blocked &map, const Body &body) {
  for (int64_t n = 0; n < map.batch; n++) {
    for (int64_t c = 0; c < map.blocks() * map.block; c++) {
      for (int64_t y = 0; y < map.height; y++) {
        for (int64_t x = 0; x < map.width; x++) body(n, c, y, x);
      }
    }
  }
}

void fill(const Blocked &map, Floats &values, Random &random) {
  each(map, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    values[map.at(n, c, y, x)] = c < map.channels ? random() : 0.0f;
  });
}

// Norm of the difference over the norm of what is expected.
class Error {
 public:
  void add(double actual, double expected) {
    const double d = actual - expected;
    difference_ += d * d;
    norm_ += expected * expected;
    finite_ = finite_ && std::isfinite(actual) && std::isfinite(expected);
    count_++;
  }
  double check(double bound, const std::string &what) {
    comparisons += count_;
    const double error = std::sqrt(difference_ / norm_);
    if (!finite_ || count_ == 0 || std::isnan(error) || error > bound) {
      char text[64];
      std::snprintf(text, sizeof text, ": error %.3g over %lld values", error,
                    static_cast<long long>(count_));
      fail(what + text);
    }
    return error;
  }

 private:
  double difference_ = 0, norm_ = 0;
  bool finite_ = true;
  int64_t count_ = 0;
};

}  // namespace
