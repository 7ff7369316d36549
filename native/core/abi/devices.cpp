#include "guard.h"
#include "registry.h"

using namespace gapcam;

extern "C" {

uint32_t gapcam_abi_version(void) { return GAPCAM_ABI_VERSION; }

uint64_t gapcam_live_bytes(void) { return Ledger::total(); }

int32_t gapcam_backend_describe(char *json, uint64_t capacity, uint64_t *needed, char *message) {
  return guard(message, [&] { copy_text(describe_backend(), json, capacity, needed); });
}

int32_t gapcam_device_open(int32_t index, int32_t precision, int32_t threads, uint32_t flags,
                           gapcam_handle *device, char *message) {
  return guard(message, [&] {
    not_null(device, "device");
    require(index >= 0, format("Cannot open device %d: an index is 0 or more", index));
    require(precision >= GAPCAM_PRECISION_F32 && precision <= GAPCAM_PRECISION_BF16,
            format("Cannot open a device with precision %d: it is 0 (f32), 1 (tf32) or 2 (bf16)",
                   precision));
    require(threads >= 0 && threads <= 4096,
            format("Cannot open a device with %d threads: expected 0 (all) to 4096", threads));
    DeviceOptions options;
    options.index = index;
    options.precision = static_cast<gapcam_precision>(precision);
    options.threads = threads;
    options.synchronous = (flags & GAPCAM_DEVICE_SYNCHRONOUS) != 0;
    auto object = std::make_shared<DeviceObject>();
    object->device = open_device(options);
    *device = registry().add(object);
  });
}

int32_t gapcam_device_close(gapcam_handle device, char *message) {
  return guard(message, [&] {
    if (!device) return;
    registry().remove_device(device);
  });
}

int32_t gapcam_device_describe(gapcam_handle device, char *json, uint64_t capacity,
                               uint64_t *needed, char *message) {
  return guard(message, [&] {
    const auto object = registry().find_device(device);
    std::lock_guard lock(object->mutex);
    copy_text(object->device->describe(), json, capacity, needed);
  });
}

int32_t gapcam_device_memory(gapcam_handle device, uint64_t *numbers, char *message) {
  return guard(message, [&] {
    not_null(numbers, "numbers");
    const auto object = registry().find_device(device);
    const Ledger &ledger = object->device->ledger();
    numbers[0] = ledger.live();
    numbers[1] = ledger.peak();
    numbers[2] = ledger.allocations();
    numbers[3] = object->device->free_bytes();
  });
}

}  // extern "C"
