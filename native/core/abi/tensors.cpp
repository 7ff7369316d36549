#include "guard.h"
#include "registry.h"

using namespace gapcam;

extern "C" {

int32_t gapcam_tensor_create(gapcam_handle device, int32_t data_type, int32_t rank,
                             const int64_t *shape, uint32_t flags, gapcam_handle *tensor,
                             char *message) {
  return guard(message, [&] {
    not_null(tensor, "tensor");
    not_null(shape, "shape");
    const auto owner = registry().find_device(device);
    require(data_type >= GAPCAM_F32 && data_type <= GAPCAM_I32,
            format("Cannot create a tensor of data type %d: it is 0 (f32), 1 (u8) or 2 (i32)",
                   data_type));
    require(rank >= 1 && rank <= GAPCAM_MAX_RANK,
            format("Cannot create a tensor of rank %d: expected 1 to %d", rank, GAPCAM_MAX_RANK));
    auto object = std::make_shared<TensorObject>();
    object->shape.assign(shape, shape + rank);
    require(countable(object->shape),
            format("Cannot create a tensor of shape %s: expected dimensions of 1 or more, and at "
                   "most 2^40 elements in all",
                   gapcam::to_string(object->shape).c_str()));
    object->device = owner;
    object->type = static_cast<DataType>(data_type);
    object->staged = (flags & GAPCAM_TENSOR_STAGED) != 0;
    {
      std::lock_guard lock(owner->mutex);
      object->storage = owner->device->allocate(object->type, object->shape, object->staged);
    }
    *tensor = registry().add(object, nullptr);
  });
}

int32_t gapcam_tensor_destroy(gapcam_handle tensor, char *message) {
  return guard(message, [&] {
    if (!tensor) return;
    registry().remove_tensor(tensor);
  });
}

int32_t gapcam_tensor_shape(gapcam_handle tensor, int32_t *data_type, int32_t *rank, int64_t *shape,
                            char *message) {
  return guard(message, [&] {
    const auto object = registry().find_tensor(tensor);
    *not_null(data_type, "data_type") = static_cast<int32_t>(object->type);
    *not_null(rank, "rank") = static_cast<int32_t>(object->shape.size());
    for (size_t i = 0; i < object->shape.size(); i++)
      not_null(shape, "shape")[i] = object->shape[i];
  });
}

int32_t gapcam_tensor_write(gapcam_handle tensor, const void *data, uint64_t bytes, char *message) {
  return guard(message, [&] {
    const auto object = registry().find_tensor(tensor);
    require(object->storage != nullptr,
            "Cannot write a tensor that a program makes: write its inputs");
    const auto expected = static_cast<uint64_t>(byte_count(object->type, object->shape));
    require(bytes == expected,
            format("Cannot write a tensor of shape %s: got %llu bytes, expected %llu",
                   gapcam::to_string(object->shape).c_str(), static_cast<unsigned long long>(bytes),
                   static_cast<unsigned long long>(expected)),
            GAPCAM_SHAPE_MISMATCH);
    not_null(data, "data");
    std::unique_lock lock(object->device->mutex, std::defer_lock);
    if (!object->staged) lock.lock();
    object->storage->write(data, bytes);
  });
}

int32_t gapcam_tensor_read(gapcam_handle tensor, void *data, uint64_t bytes, char *message) {
  return guard(message, [&] {
    const auto object = registry().find_tensor(tensor);
    const auto expected = static_cast<uint64_t>(byte_count(object->type, object->shape));
    require(bytes == expected,
            format("Cannot read a tensor of shape %s: got a buffer of %llu bytes, expected %llu",
                   gapcam::to_string(object->shape).c_str(), static_cast<unsigned long long>(bytes),
                   static_cast<unsigned long long>(expected)),
            GAPCAM_SHAPE_MISMATCH);
    not_null(data, "data");
    // Taken before the lock, because the last owner of a program locks the device to end it.
    const auto program = object->program.lock();
    std::lock_guard lock(object->device->mutex);
    if (object->storage) {
      object->storage->read(data, bytes);
      return;
    }
    require(program && program->executable,
            "Cannot read a tensor of a program that is not compiled or was destroyed",
            GAPCAM_INVALID_HANDLE);
    require(program->graph->value(object->value).readable,
            "Cannot read a tensor that was not marked with gapcam_program_output");
    program->executable->read(object->value, data, bytes);
  });
}

}  // extern "C"
