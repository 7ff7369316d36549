// Everything at once, on handles that all threads share, devices opened and closed meanwhile.
#include <mutex>
#include <utility>

#include "abi_threads.h"

namespace abi_threads {

namespace {

// Handles that all threads share, most of them stale.
class Pool {
 public:
  explicit Pool(size_t capacity) : capacity_(capacity) {}
  gapcam_handle pick(std::mt19937 &random) {
    std::lock_guard lock(mutex_);
    return all_.empty() ? 0 : all_[random() % all_.size()];
  }
  // Gives back the one whose place it took.
  gapcam_handle put(gapcam_handle handle, std::mt19937 &random) {
    std::lock_guard lock(mutex_);
    if (all_.size() < capacity_) {
      all_.push_back(handle);
      return 0;
    }
    std::swap(all_[random() % capacity_], handle);
    return handle;
  }
  std::vector<gapcam_handle> all() {
    std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::vector<gapcam_handle> all_;
};

struct Pools {
  Pool devices{4}, tensors{64}, programs{32};
};
int64_t some_dimension(std::mt19937 &random) {
  constexpr int64_t dimensions[] = {1, 2, 3, 4, 8};
  return dimensions[random() % 5];
}

// Reads or writes a tensor whose shape another thread chose.
int32_t copy_tensor(gapcam_handle tensor, std::mt19937 &random, char *message) {
  int32_t type = 0, rank = 0;
  int64_t shape[GAPCAM_MAX_RANK] = {};
  const int32_t status = gapcam_tensor_shape(tensor, &type, &rank, shape, message);
  if (status != GAPCAM_OK) return status;
  uint64_t bytes = type == GAPCAM_U8 ? 1 : 4;
  for (int32_t i = 0; i < rank; i++) bytes *= static_cast<uint64_t>(shape[i]);
  if (bytes > (1 << 16)) return GAPCAM_OK;
  std::vector<uint8_t> data(bytes);
  return random() % 2 ? gapcam_tensor_write(tensor, data.data(), bytes, message)
                      : gapcam_tensor_read(tensor, data.data(), bytes, message);
}

// One random call.
void any_call(Pools &pools, std::mt19937 &random) {
  char message[GAPCAM_MESSAGE_BYTES] = "";
  const gapcam_handle device = pools.devices.pick(random), x = pools.tensors.pick(random),
                      w = pools.tensors.pick(random), program = pools.programs.pick(random);
  gapcam_handle out = 0;
  int32_t status = GAPCAM_OK;
  const auto made = [&](int32_t result) {
    status = result;
    if (result == GAPCAM_OK) pools.tensors.put(out, random);
  };
  switch (random() % 20) {
    case 0:
      if (random() % 16) break;
      status = gapcam_device_open(0, 0, 1, 0, &out, message);
      if (status == GAPCAM_OK) gapcam_device_close(pools.devices.put(out, random), nullptr);
      break;
    case 1:
      if (random() % 8 == 0) status = gapcam_device_close(device, message);
      break;
    case 2:
    case 3: {
      int64_t shape[GAPCAM_MAX_RANK];
      for (int64_t &one : shape) one = some_dimension(random);
      const auto type = static_cast<int32_t>(random() % 3);
      const auto rank = static_cast<int32_t>(1 + random() % GAPCAM_MAX_RANK);
      made(gapcam_tensor_create(device, type, rank, shape, random() % 2, &out, message));
      break;
    }
    case 4:
      status = gapcam_tensor_destroy(x, message);
      break;
    case 5:
    case 6:
      status = copy_tensor(x, random, message);
      break;
    case 7:
    case 8:
      status = gapcam_program_create(device, random() % 4, &out, message);
      if (status == GAPCAM_OK) pools.programs.put(out, random);
      break;
    case 9:
      status = gapcam_program_destroy(program, message);
      break;
    case 10:
    case 11:
      made(gapcam_program_unary(program, x, GAPCAM_LEAKY_RELU, 0.5f, 0.0f, &out, message));
      break;
    case 12:
      made(gapcam_program_conv2d(program, x, w, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, GAPCAM_LEAKY_RELU,
                                 0.2f, 0.0f, &out, message));
      break;
    case 13:
      made(gapcam_program_linear(program, x, w, 0, &out, message));
      break;
    case 14:
      made(gapcam_program_global_average_pool(program, x, 0, &out, message));
      break;
    case 15: {
      const gapcam_handle target = pools.tensors.pick(random);
      made(gapcam_program_backward(program, x, w, &target, 1, &out, message));
      break;
    }
    case 16:
      status = gapcam_program_output(program, x, message);
      break;
    case 17:
      status = gapcam_program_compile(program, message);
      break;
    case 18:
      status = gapcam_program_run(program, 1 + random() % 7, message);
      break;
    case 19: {
      char json[4096];
      uint64_t needed = 0, numbers[4] = {};
      check(gapcam_device_memory(device, numbers, message), "device_memory", message);
      status = gapcam_program_describe(program, json, sizeof json, &needed, message);
      break;
    }
  }
  check(status, "a random call", message);
}
}  // namespace

void chaos(double seconds) {
  Pools pools;
  std::mt19937 random(1);
  for (int i = 0; i < 3; i++) pools.devices.put(open_device(), random);
  Crowd crowd(seconds);
  crowd.add(thread_count, [&](std::mt19937 &own) { any_call(pools, own); });
  crowd.finish("chaos");
  for (const gapcam_handle device : pools.devices.all()) gapcam_device_close(device, nullptr);
}

}  // namespace abi_threads
