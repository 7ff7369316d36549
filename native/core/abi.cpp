// The C interface: handles, checks of arguments and shapes, recording of graphs. The backend that
// is linked with this file does the rest.
#include <cmath>
#include <cstring>
#include <functional>
#include <mutex>
#include <new>
#include <unordered_map>

#include "backend.h"
#include "gapcam.h"

namespace gapcam {

std::string to_string(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) {
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  return text + "]";
}

const char *to_string(OperationKind kind) {
  switch (kind) {
    case OperationKind::prepare_images:
      return "prepare_images";
    case OperationKind::conv2d:
      return "conv2d";
    case OperationKind::leaky_relu:
      return "leaky_relu";
    case OperationKind::batch_norm2d:
      return "batch_norm2d";
    case OperationKind::max_pool2d:
      return "max_pool2d";
    case OperationKind::global_average_pool:
      return "global_average_pool";
    case OperationKind::linear:
      return "linear";
    case OperationKind::cross_entropy:
      return "cross_entropy";
  }
  return "unknown";
}

namespace {

const char *to_string(DataType type) {
  return type == DataType::f32 ? "f32" : type == DataType::u8 ? "u8" : "i32";
}

// ---- Objects behind handles -------------------------------------------------------------------

struct DeviceObject {
  // Declared before the device, so that what the device owns goes first.
  std::mutex mutex;  // one call at a time
  std::unique_ptr<Device> device;
};

struct ProgramObject {
  std::shared_ptr<DeviceObject> device;
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  std::unique_ptr<Executable> executable;                 // set by compile
  std::unordered_map<const Storage *, ValueId> external;  // tensors of the device, seen so far
  ~ProgramObject() {
    if (!device) return;
    std::lock_guard lock(device->mutex);
    executable.reset();
    graph.reset();
  }
};

struct TensorObject {
  std::shared_ptr<DeviceObject> device;
  DataType type = DataType::f32;
  Shape shape;
  bool staged = false;
  std::shared_ptr<Storage> storage;      // a tensor of the device
  std::weak_ptr<ProgramObject> program;  // or a value of a program
  ValueId value = no_value;
};

// Numbers, not pointers, so that a stale or invented handle is found out instead of followed.
// A number is never used twice, whatever the kind.
class Registry {
 public:
  // Never destroyed: calls may still be in flight while the process ends.
  static Registry &instance() {
    static Registry *registry = new Registry;
    return *registry;
  }

  template <class Object>
  gapcam_handle add(std::shared_ptr<Object> object) {
    std::lock_guard lock(mutex_);
    const gapcam_handle handle = ++last_;
    map<Object>().emplace(handle, std::move(object));
    return handle;
  }

  template <class Object>
  std::shared_ptr<Object> find(gapcam_handle handle, const char *kind) {
    std::lock_guard lock(mutex_);
    const auto found = map<Object>().find(handle);
    if (found == map<Object>().end()) {
      throw Error(GAPCAM_INVALID_HANDLE,
                  format("Cannot use %s %llu: no such %s is open; it was destroyed or is of "
                         "another kind",
                         kind, static_cast<unsigned long long>(handle), kind));
    }
    return found->second;
  }

  // Hands the object back, so that it dies outside the lock.
  template <class Object>
  std::shared_ptr<Object> remove(gapcam_handle handle, const char *kind) {
    auto object = find<Object>(handle, kind);
    std::lock_guard lock(mutex_);
    map<Object>().erase(handle);
    return object;
  }

  template <class Object, class Predicate>
  std::vector<std::shared_ptr<Object>> remove_if(Predicate predicate) {
    std::vector<std::shared_ptr<Object>> removed;
    std::lock_guard lock(mutex_);
    for (auto i = map<Object>().begin(); i != map<Object>().end();) {
      if (predicate(*i->second)) {
        removed.push_back(std::move(i->second));
        i = map<Object>().erase(i);
      } else {
        ++i;
      }
    }
    return removed;
  }

 private:
  template <class Object>
  std::unordered_map<gapcam_handle, std::shared_ptr<Object>> &map();

  std::mutex mutex_;
  gapcam_handle last_ = 0;
  std::unordered_map<gapcam_handle, std::shared_ptr<DeviceObject>> devices_;
  std::unordered_map<gapcam_handle, std::shared_ptr<TensorObject>> tensors_;
  std::unordered_map<gapcam_handle, std::shared_ptr<ProgramObject>> programs_;
};

template <>
std::unordered_map<gapcam_handle, std::shared_ptr<DeviceObject>> &Registry::map() {
  return devices_;
}
template <>
std::unordered_map<gapcam_handle, std::shared_ptr<TensorObject>> &Registry::map() {
  return tensors_;
}
template <>
std::unordered_map<gapcam_handle, std::shared_ptr<ProgramObject>> &Registry::map() {
  return programs_;
}

Registry &registry() { return Registry::instance(); }
auto find_device(gapcam_handle h) { return registry().find<DeviceObject>(h, "device"); }
auto find_tensor(gapcam_handle h) { return registry().find<TensorObject>(h, "tensor"); }
auto find_program(gapcam_handle h) { return registry().find<ProgramObject>(h, "program"); }

// ---- The border -------------------------------------------------------------------------------

int32_t report(gapcam_status status, const char *text, char *message) {
  if (message) {
    std::strncpy(message, text, GAPCAM_MESSAGE_BYTES - 1);
    message[GAPCAM_MESSAGE_BYTES - 1] = '\0';
  }
  return status;
}

// Runs `body`; nothing that it throws crosses the interface.
template <class Body>
int32_t guard(char *message, Body body) {
  try {
    body();
    return GAPCAM_OK;
  } catch (const Error &error) {
    return report(error.status(), error.what(), message);
  } catch (const std::bad_alloc &) {
    return report(GAPCAM_OUT_OF_MEMORY, "Cannot allocate host memory: the system has none left",
                  message);
  } catch (const std::exception &error) {
    return report(GAPCAM_INTERNAL, error.what(), message);
  } catch (...) {
    return report(GAPCAM_INTERNAL, "Unknown failure in the native library", message);
  }
}

void require(bool condition, const std::string &message,
             gapcam_status status = GAPCAM_INVALID_ARGUMENT) {
  if (!condition) throw Error(status, message);
}

template <class T>
T *not_null(T *pointer, const char *name) {
  require(pointer != nullptr, format("The argument %s must not be null", name));
  return pointer;
}

void copy_text(const std::string &text, char *buffer, uint64_t capacity, uint64_t *needed) {
  if (needed) *needed = text.size() + 1;
  require(buffer != nullptr && capacity > text.size(),
          format("The description needs a buffer of %zu bytes, got %llu", text.size() + 1,
                 static_cast<unsigned long long>(capacity)));
  std::memcpy(buffer, text.c_str(), text.size() + 1);
}

// ---- Recording --------------------------------------------------------------------------------

// A program being recorded, and what its operations check alike.
class Recorder {
 public:
  Recorder(gapcam_handle program, const char *operation)
      : program_(find_program(program)), operation_(operation) {
    lock_ = std::unique_lock(program_->device->mutex);
    require(!program_->executable,
            format("Cannot add %s: the program is already compiled", operation));
  }

  Graph &graph() { return *program_->graph; }
  const char *operation() const { return operation_; }

  void check(bool condition, const std::string &reason,
             gapcam_status status = GAPCAM_SHAPE_MISMATCH) {
    require(condition, format("Cannot add %s: %s", operation_, reason.c_str()), status);
  }

  // The value that a tensor is in this program.
  ValueId use(gapcam_handle handle, const char *role, DataType type = DataType::f32) {
    const auto tensor = find_tensor(handle);
    check(tensor->type == type,
          format("its %s must be %s, found %s", role, to_string(type), to_string(tensor->type)),
          GAPCAM_INVALID_ARGUMENT);
    if (!tensor->storage) {
      check(tensor->program.lock() == program_, format("its %s belongs to another program", role),
            GAPCAM_INVALID_ARGUMENT);
      return tensor->value;
    }
    check(tensor->device == program_->device, format("its %s is on another device", role),
          GAPCAM_INVALID_ARGUMENT);
    const auto seen = program_->external.find(tensor->storage.get());
    if (seen != program_->external.end()) return seen->second;
    Value value;
    value.type = tensor->type;
    value.shape = tensor->shape;
    value.storage = tensor->storage;
    value.readable = true;
    const ValueId id = add_value(std::move(value));
    program_->external.emplace(tensor->storage.get(), id);
    return id;
  }

  ValueId use_optional(gapcam_handle handle, const char *role) {
    return handle ? use(handle, role) : no_value;
  }

  const Shape &shape(ValueId id) { return graph().shape(id); }

  void expect_rank(ValueId id, size_t rank, const char *role) {
    check(shape(id).size() == rank, format("its %s must have %zu dimensions, found %s", role, rank,
                                           gapcam::to_string(shape(id)).c_str()));
  }

  void expect_shape(ValueId id, const Shape &expected, const char *role) {
    if (id == no_value) return;
    check(shape(id) == expected,
          format("its %s must have the shape %s, found %s", role,
                 gapcam::to_string(expected).c_str(), gapcam::to_string(shape(id)).c_str()));
  }

  void check_slope(float slope) {
    check(slope >= 0.0f && slope <= 1.0f,
          format("the negative slope must be between 0 and 1, found %g", slope),
          GAPCAM_INVALID_ARGUMENT);
  }

  // Size of a convolution's or a pool's output along one direction.
  int64_t window_count(int64_t size, int kernel, int stride, int padding, const char *direction) {
    check(kernel >= 1 && stride >= 1 && padding >= 0 && kernel <= 4096 && stride <= 4096 &&
              padding <= 4096,
          format("kernel, stride and padding must be positive and at most 4096 (padding may be 0), "
                 "found %d, %d and %d",
                 kernel, stride, padding),
          GAPCAM_INVALID_ARGUMENT);
    check(size + 2 * padding >= kernel,
          format("a kernel of %d does not fit an input %s of %lld with padding %d", kernel,
                 direction, static_cast<long long>(size), padding));
    return (size + 2 * padding - kernel) / stride + 1;
  }

  gapcam_handle finish(Operation operation, Shape output) {
    check(element_count(output) < (int64_t{1} << 40), "its output is too large",
          GAPCAM_INVALID_ARGUMENT);
    Value value;
    value.shape = std::move(output);
    value.producer = static_cast<int>(graph().operations.size());
    operation.output = add_value(std::move(value));
    operation.needs_gradient.assign(operation.inputs.size(), false);
    const ValueId id = operation.output;
    graph().operations.push_back(std::move(operation));
    return handle_of(id);
  }

  ValueId add_value(Value value) {
    graph().values.push_back(std::move(value));
    return static_cast<ValueId>(graph().values.size()) - 1;
  }

  // A function that takes back whatever has been recorded since.
  std::function<void()> checkpoint() {
    return [this, graph = *program_->graph, external = program_->external] {
      *program_->graph = graph;
      program_->external = external;
    };
  }

  // A handle for a value that the program owns.
  gapcam_handle handle_of(ValueId id) {
    auto tensor = std::make_shared<TensorObject>();
    tensor->device = program_->device;
    tensor->type = graph().value(id).type;
    tensor->shape = graph().value(id).shape;
    tensor->program = program_;
    tensor->value = id;
    return registry().add(std::move(tensor));
  }

 private:
  std::shared_ptr<ProgramObject> program_;
  std::unique_lock<std::mutex> lock_;
  const char *operation_;
};

// Marks what backward passes through; see Operation.
void mark_gradients(Recorder &recorder, Graph &graph, ValueId output) {
  std::vector<bool> wanted(graph.values.size(), false);
  for (const ValueId target : graph.backward.targets) wanted[static_cast<size_t>(target)] = true;
  for (const Operation &operation : graph.operations) {
    for (const ValueId input : operation.inputs) {
      if (input != no_value && wanted[static_cast<size_t>(input)]) {
        wanted[static_cast<size_t>(operation.output)] = true;
      }
    }
  }
  std::vector<bool> reached(graph.values.size(), false);
  std::vector<int> consumers(graph.values.size(), 0);
  reached[static_cast<size_t>(output)] = true;
  for (size_t i = graph.operations.size(); i-- > 0;) {
    Operation &operation = graph.operations[i];
    const auto made = static_cast<size_t>(operation.output);
    if (!reached[made] || !wanted[made]) continue;
    operation.differentiated = true;
    for (size_t j = 0; j < operation.inputs.size(); j++) {
      if (operation.inputs[j] == no_value) continue;
      const auto input = static_cast<size_t>(operation.inputs[j]);
      if (!wanted[input]) continue;
      recorder.check(++consumers[input] == 1,
                     format("a tensor that needs a gradient is used by two operations, the second "
                            "being %s; gradients are not summed over uses",
                            to_string(operation.kind)),
                     GAPCAM_UNSUPPORTED);
      operation.needs_gradient[j] = true;
      reached[input] = true;
    }
  }
  for (const ValueId target : graph.backward.targets) {
    recorder.check(reached[static_cast<size_t>(target)], "a target does not influence the output",
                   GAPCAM_INVALID_ARGUMENT);
  }
}

// Gradients are only defined for these inputs.
bool differentiable(const Operation &operation, size_t input) {
  switch (operation.kind) {
    case OperationKind::prepare_images:
      return false;
    case OperationKind::batch_norm2d:
      return input < 3;
    case OperationKind::cross_entropy:
      return input == 0;
    default:
      return true;
  }
}

void record_update(gapcam_handle program, UpdateKind kind, const char *name, int32_t count,
                   const gapcam_handle *parameters, const gapcam_handle *gradients,
                   const gapcam_handle *first, const gapcam_handle *second,
                   gapcam_handle settings) {
  Recorder recorder(program, name);
  recorder.check(count >= 1, "it needs at least one parameter", GAPCAM_INVALID_ARGUMENT);
  not_null(parameters, "parameters");
  not_null(gradients, "gradients");
  not_null(first, "moments");
  if (kind == UpdateKind::adam) not_null(second, "second_moments");
  Update update;
  update.kind = kind;
  update.settings = recorder.use(settings, "settings");
  recorder.expect_shape(update.settings, {8}, "settings");
  const auto &known = recorder.graph().backward.gradients;
  for (int32_t i = 0; i < count; i++) {
    const ValueId parameter = recorder.use(parameters[i], "parameter");
    const ValueId gradient = recorder.use(gradients[i], "gradient");
    bool found = false;
    for (const ValueId one : known) found = found || one == gradient;
    recorder.check(found, "a gradient was not made by the program's backward pass",
                   GAPCAM_INVALID_ARGUMENT);
    const Shape shape = recorder.shape(parameter);
    recorder.expect_shape(gradient, shape, "gradient");
    update.parameters.push_back(parameter);
    update.gradients.push_back(gradient);
    update.first_moments.push_back(recorder.use(first[i], "moment"));
    recorder.expect_shape(update.first_moments.back(), shape, "moment");
    if (kind == UpdateKind::adam) {
      update.second_moments.push_back(recorder.use(second[i], "second moment"));
      recorder.expect_shape(update.second_moments.back(), shape, "second moment");
    }
  }
  recorder.graph().updates.push_back(std::move(update));
}

}  // namespace
}  // namespace gapcam

using namespace gapcam;

extern "C" {

uint32_t gapcam_abi_version(void) { return GAPCAM_ABI_VERSION; }

uint64_t gapcam_live_bytes(void) { return Ledger::total(); }

int32_t gapcam_backend_describe(char *json, uint64_t capacity, char *message) {
  return guard(message, [&] { copy_text(describe_backend(), json, capacity, nullptr); });
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
    *device = registry().add(std::move(object));
  });
}

int32_t gapcam_device_close(gapcam_handle device, char *message) {
  return guard(message, [&] {
    if (!device) return;
    const auto object = registry().remove<DeviceObject>(device, "device");
    const auto on_device = [&](const auto &other) { return other.device == object; };
    const auto programs = registry().remove_if<ProgramObject>(on_device);
    const auto tensors = registry().remove_if<TensorObject>(on_device);
  });
}

int32_t gapcam_device_describe(gapcam_handle device, char *json, uint64_t capacity, char *message) {
  return guard(message, [&] {
    const auto object = find_device(device);
    std::lock_guard lock(object->mutex);
    copy_text(object->device->describe(), json, capacity, nullptr);
  });
}

int32_t gapcam_device_memory(gapcam_handle device, uint64_t *numbers, char *message) {
  return guard(message, [&] {
    not_null(numbers, "numbers");
    const auto object = find_device(device);
    const Ledger &ledger = object->device->ledger();
    numbers[0] = ledger.live();
    numbers[1] = ledger.peak();
    numbers[2] = ledger.allocations();
    numbers[3] = object->device->free_bytes();
  });
}

int32_t gapcam_tensor_create(gapcam_handle device, int32_t data_type, int32_t rank,
                             const int64_t *shape, uint32_t flags, gapcam_handle *tensor,
                             char *message) {
  return guard(message, [&] {
    not_null(tensor, "tensor");
    not_null(shape, "shape");
    const auto owner = find_device(device);
    require(data_type >= GAPCAM_F32 && data_type <= GAPCAM_I32,
            format("Cannot create a tensor of data type %d: it is 0 (f32), 1 (u8) or 2 (i32)",
                   data_type));
    require(rank >= 1 && rank <= GAPCAM_MAX_RANK,
            format("Cannot create a tensor of rank %d: expected 1 to %d", rank, GAPCAM_MAX_RANK));
    auto object = std::make_shared<TensorObject>();
    int64_t count = 1;
    for (int32_t i = 0; i < rank; i++) {
      require(shape[i] >= 1 && shape[i] <= (int64_t{1} << 40) / count,
              format("Cannot create a tensor whose dimension %d is %lld: expected 1 or more, and "
                     "at most 2^40 elements in all",
                     i, static_cast<long long>(shape[i])));
      count *= shape[i];
      object->shape.push_back(shape[i]);
    }
    object->device = owner;
    object->type = static_cast<DataType>(data_type);
    object->staged = (flags & GAPCAM_TENSOR_STAGED) != 0;
    std::lock_guard lock(owner->mutex);
    object->storage = owner->device->allocate(object->type, object->shape, object->staged);
    *tensor = registry().add(std::move(object));
  });
}

int32_t gapcam_tensor_destroy(gapcam_handle tensor, char *message) {
  return guard(message, [&] {
    if (!tensor) return;
    const auto object = registry().remove<TensorObject>(tensor, "tensor");
    std::lock_guard lock(object->device->mutex);
    object->storage.reset();
  });
}

int32_t gapcam_tensor_shape(gapcam_handle tensor, int32_t *data_type, int32_t *rank, int64_t *shape,
                            char *message) {
  return guard(message, [&] {
    const auto object = find_tensor(tensor);
    *not_null(data_type, "data_type") = static_cast<int32_t>(object->type);
    *not_null(rank, "rank") = static_cast<int32_t>(object->shape.size());
    for (size_t i = 0; i < object->shape.size(); i++)
      not_null(shape, "shape")[i] = object->shape[i];
  });
}

int32_t gapcam_tensor_write(gapcam_handle tensor, const void *data, uint64_t bytes, char *message) {
  return guard(message, [&] {
    const auto object = find_tensor(tensor);
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
    const auto object = find_tensor(tensor);
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

int32_t gapcam_program_create(gapcam_handle device, uint32_t flags, gapcam_handle *program,
                              char *message) {
  return guard(message, [&] {
    not_null(program, "program");
    auto object = std::make_shared<ProgramObject>();
    object->device = find_device(device);
    object->graph->training = (flags & GAPCAM_PROGRAM_TRAINING) != 0;
    object->graph->profile = (flags & GAPCAM_PROGRAM_PROFILE) != 0;
    *program = registry().add(std::move(object));
  });
}

int32_t gapcam_program_destroy(gapcam_handle program, char *message) {
  return guard(message, [&] {
    if (!program) return;
    const auto object = registry().remove<ProgramObject>(program, "program");
    const auto tensors = registry().remove_if<TensorObject>(
        [&](const TensorObject &tensor) { return tensor.program.lock() == object; });
  });
}

int32_t gapcam_program_prepare_images(gapcam_handle program, gapcam_handle images, int64_t height,
                                      int64_t width, const float *mean, const float *deviation,
                                      gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "prepare_images");
    Operation operation;
    operation.kind = OperationKind::prepare_images;
    const ValueId input = recorder.use(images, "image batch", DataType::u8);
    recorder.expect_rank(input, 4, "image batch");
    recorder.check(height >= 1 && width >= 1 && height <= 65536 && width <= 65536,
                   format("the size must be between 1 and 65536, found %lld x %lld",
                          static_cast<long long>(height), static_cast<long long>(width)),
                   GAPCAM_INVALID_ARGUMENT);
    const Shape shape = recorder.shape(input);
    const auto channels = static_cast<size_t>(shape[3]);
    operation.mean.assign(not_null(mean, "mean"), mean + channels);
    operation.deviation.assign(not_null(deviation, "deviation"), deviation + channels);
    for (const float one : operation.deviation) {
      recorder.check(one > 0.0f && std::isfinite(one), "a deviation must be above 0",
                     GAPCAM_INVALID_ARGUMENT);
    }
    operation.inputs = {input};
    *output = recorder.finish(std::move(operation), {shape[0], shape[3], height, width});
  });
}

int32_t gapcam_program_conv2d(gapcam_handle program, gapcam_handle input, gapcam_handle weight,
                              gapcam_handle bias, int32_t stride_height, int32_t stride_width,
                              int32_t padding_height, int32_t padding_width, float negative_slope,
                              gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "conv2d");
    Operation operation;
    operation.kind = OperationKind::conv2d;
    operation.inputs = {recorder.use(input, "input"), recorder.use(weight, "weight"),
                        recorder.use_optional(bias, "bias")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    recorder.expect_rank(operation.inputs[1], 4, "weight");
    const Shape in = recorder.shape(operation.inputs[0]);
    const Shape kernel = recorder.shape(operation.inputs[1]);
    recorder.check(in[1] == kernel[1],
                   format("its weight %s takes %lld channels, the input %s has %lld",
                          gapcam::to_string(kernel).c_str(), static_cast<long long>(kernel[1]),
                          gapcam::to_string(in).c_str(), static_cast<long long>(in[1])));
    recorder.expect_shape(operation.inputs[2], {kernel[0]}, "bias");
    recorder.check_slope(negative_slope);
    operation.kernel_height = static_cast<int>(kernel[2]);
    operation.kernel_width = static_cast<int>(kernel[3]);
    operation.stride_height = stride_height;
    operation.stride_width = stride_width;
    operation.padding_height = padding_height;
    operation.padding_width = padding_width;
    operation.negative_slope = negative_slope;
    const int64_t rows = recorder.window_count(in[2], operation.kernel_height, stride_height,
                                               padding_height, "height");
    const int64_t columns =
        recorder.window_count(in[3], operation.kernel_width, stride_width, padding_width, "width");
    *output = recorder.finish(std::move(operation), {in[0], kernel[0], rows, columns});
  });
}

int32_t gapcam_program_leaky_relu(gapcam_handle program, gapcam_handle input, float negative_slope,
                                  gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "leaky_relu");
    Operation operation;
    operation.kind = OperationKind::leaky_relu;
    operation.inputs = {recorder.use(input, "input")};
    operation.negative_slope = negative_slope;
    recorder.check_slope(negative_slope);
    const Shape shape = recorder.shape(operation.inputs[0]);
    *output = recorder.finish(std::move(operation), shape);
  });
}

int32_t gapcam_program_batch_norm2d(gapcam_handle program, gapcam_handle input,
                                    gapcam_handle weight, gapcam_handle bias,
                                    gapcam_handle running_mean, gapcam_handle running_variance,
                                    float epsilon, float momentum, float negative_slope,
                                    gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "batch_norm2d");
    Operation operation;
    operation.kind = OperationKind::batch_norm2d;
    operation.inputs = {recorder.use(input, "input"), recorder.use(weight, "weight"),
                        recorder.use(bias, "bias"), recorder.use(running_mean, "running mean"),
                        recorder.use(running_variance, "running variance")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    const Shape shape = recorder.shape(operation.inputs[0]);
    const Shape per_channel = {shape[1]};
    recorder.expect_shape(operation.inputs[1], per_channel, "weight");
    recorder.expect_shape(operation.inputs[2], per_channel, "bias");
    recorder.expect_shape(operation.inputs[3], per_channel, "running mean");
    recorder.expect_shape(operation.inputs[4], per_channel, "running variance");
    recorder.check(epsilon > 0.0f && momentum >= 0.0f && momentum <= 1.0f,
                   format("epsilon must be above 0 and momentum between 0 and 1, found %g and %g",
                          epsilon, momentum),
                   GAPCAM_INVALID_ARGUMENT);
    recorder.check(!recorder.graph().training || shape[0] * shape[2] * shape[3] > 1,
                   "training needs more than one value per channel");
    recorder.check_slope(negative_slope);
    operation.epsilon = epsilon;
    operation.momentum = momentum;
    operation.negative_slope = negative_slope;
    *output = recorder.finish(std::move(operation), shape);
  });
}

int32_t gapcam_program_max_pool2d(gapcam_handle program, gapcam_handle input, int32_t kernel_height,
                                  int32_t kernel_width, int32_t stride_height, int32_t stride_width,
                                  int32_t padding_height, int32_t padding_width,
                                  gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "max_pool2d");
    Operation operation;
    operation.kind = OperationKind::max_pool2d;
    operation.inputs = {recorder.use(input, "input")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    const Shape in = recorder.shape(operation.inputs[0]);
    operation.kernel_height = kernel_height;
    operation.kernel_width = kernel_width;
    operation.stride_height = stride_height;
    operation.stride_width = stride_width;
    operation.padding_height = padding_height;
    operation.padding_width = padding_width;
    recorder.check(2 * padding_height <= kernel_height && 2 * padding_width <= kernel_width,
                   format("padding must be at most half the kernel, found %d x %d and %d x %d",
                          padding_height, padding_width, kernel_height, kernel_width),
                   GAPCAM_INVALID_ARGUMENT);
    const int64_t rows =
        recorder.window_count(in[2], kernel_height, stride_height, padding_height, "height");
    const int64_t columns =
        recorder.window_count(in[3], kernel_width, stride_width, padding_width, "width");
    *output = recorder.finish(std::move(operation), {in[0], in[1], rows, columns});
  });
}

int32_t gapcam_program_global_average_pool(gapcam_handle program, gapcam_handle input,
                                           gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "global_average_pool");
    Operation operation;
    operation.kind = OperationKind::global_average_pool;
    operation.inputs = {recorder.use(input, "input")};
    recorder.expect_rank(operation.inputs[0], 4, "input");
    const Shape in = recorder.shape(operation.inputs[0]);
    *output = recorder.finish(std::move(operation), {in[0], in[1]});
  });
}

int32_t gapcam_program_linear(gapcam_handle program, gapcam_handle input, gapcam_handle weight,
                              gapcam_handle bias, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "linear");
    Operation operation;
    operation.kind = OperationKind::linear;
    operation.inputs = {recorder.use(input, "input"), recorder.use(weight, "weight"),
                        recorder.use_optional(bias, "bias")};
    recorder.expect_rank(operation.inputs[0], 2, "input");
    recorder.expect_rank(operation.inputs[1], 2, "weight");
    const Shape in = recorder.shape(operation.inputs[0]);
    const Shape weights = recorder.shape(operation.inputs[1]);
    recorder.check(in[1] == weights[1],
                   format("its weight %s takes %lld features, the input %s has %lld",
                          gapcam::to_string(weights).c_str(), static_cast<long long>(weights[1]),
                          gapcam::to_string(in).c_str(), static_cast<long long>(in[1])));
    recorder.expect_shape(operation.inputs[2], {weights[0]}, "bias");
    *output = recorder.finish(std::move(operation), {in[0], weights[0]});
  });
}

int32_t gapcam_program_cross_entropy(gapcam_handle program, gapcam_handle logits,
                                     gapcam_handle labels, float label_smoothing,
                                     gapcam_handle metrics, gapcam_handle *loss, char *message) {
  return guard(message, [&] {
    not_null(loss, "loss");
    Recorder recorder(program, "cross_entropy");
    Operation operation;
    operation.kind = OperationKind::cross_entropy;
    operation.inputs = {recorder.use(logits, "logits"),
                        recorder.use(labels, "labels", DataType::i32),
                        recorder.use_optional(metrics, "metrics")};
    recorder.expect_rank(operation.inputs[0], 2, "logits");
    recorder.expect_shape(operation.inputs[1], {recorder.shape(operation.inputs[0])[0]}, "labels");
    recorder.expect_shape(operation.inputs[2], {8}, "metrics");
    recorder.check(label_smoothing >= 0.0f && label_smoothing <= 1.0f,
                   format("label smoothing must be between 0 and 1, found %g", label_smoothing),
                   GAPCAM_INVALID_ARGUMENT);
    operation.label_smoothing = label_smoothing;
    *loss = recorder.finish(std::move(operation), {1});
    recorder.graph().values.back().readable = true;
  });
}

int32_t gapcam_program_output(gapcam_handle program, gapcam_handle tensor, char *message) {
  return guard(message, [&] {
    Recorder recorder(program, "output");
    const ValueId value = recorder.use(tensor, "tensor");
    recorder.graph().values[static_cast<size_t>(value)].readable = true;
  });
}

int32_t gapcam_program_backward(gapcam_handle program, gapcam_handle output,
                                gapcam_handle output_gradient, const gapcam_handle *targets,
                                int32_t count, gapcam_handle *gradients, char *message) {
  return guard(message, [&] {
    Recorder recorder(program, "backward");
    Graph &graph = recorder.graph();
    recorder.check(!graph.backward.recorded, "the program has a backward pass already",
                   GAPCAM_INVALID_ARGUMENT);
    recorder.check(count >= 1, "it needs at least one target", GAPCAM_INVALID_ARGUMENT);
    not_null(targets, "targets");
    not_null(gradients, "gradients");
    // A refusal leaves the program as it was.
    const auto undo = recorder.checkpoint();
    try {
      graph.backward.output = recorder.use(output, "output");
      recorder.check(graph.value(graph.backward.output).producer >= 0,
                     "its output must be made by the program", GAPCAM_INVALID_ARGUMENT);
      graph.backward.output_gradient = recorder.use_optional(output_gradient, "output gradient");
      if (output_gradient) {
        recorder.expect_shape(graph.backward.output_gradient, recorder.shape(graph.backward.output),
                              "output gradient");
      } else {
        recorder.check(element_count(recorder.shape(graph.backward.output)) == 1,
                       "an output of several elements needs an output gradient");
      }
      for (int32_t i = 0; i < count; i++) {
        const ValueId target = recorder.use(targets[i], "target");
        recorder.check(graph.value(target).storage != nullptr,
                       "a target must be a tensor of the device", GAPCAM_INVALID_ARGUMENT);
        for (const ValueId other : graph.backward.targets) {
          recorder.check(other != target, "a target is given twice", GAPCAM_INVALID_ARGUMENT);
        }
        graph.backward.targets.push_back(target);
      }
      mark_gradients(recorder, graph, graph.backward.output);
      for (const Operation &operation : graph.operations) {
        for (size_t i = 0; i < operation.inputs.size(); i++) {
          recorder.check(!operation.needs_gradient[i] || differentiable(operation, i),
                         format("%s has no gradient with respect to its input %zu",
                                to_string(operation.kind), i),
                         GAPCAM_UNSUPPORTED);
        }
      }
      for (const ValueId target : graph.backward.targets) {
        Value value;
        value.shape = graph.shape(target);
        value.readable = true;
        graph.backward.gradients.push_back(recorder.add_value(std::move(value)));
      }
      graph.backward.recorded = true;
    } catch (...) {
      undo();
      throw;
    }
    for (int32_t i = 0; i < count; i++) {
      gradients[i] = recorder.handle_of(graph.backward.gradients[static_cast<size_t>(i)]);
    }
  });
}

int32_t gapcam_program_adam(gapcam_handle program, int32_t count, const gapcam_handle *parameters,
                            const gapcam_handle *gradients, const gapcam_handle *first_moments,
                            const gapcam_handle *second_moments, gapcam_handle settings,
                            char *message) {
  return guard(message, [&] {
    record_update(program, UpdateKind::adam, "adam", count, parameters, gradients, first_moments,
                  second_moments, settings);
  });
}

int32_t gapcam_program_sgd(gapcam_handle program, int32_t count, const gapcam_handle *parameters,
                           const gapcam_handle *gradients, const gapcam_handle *momentum_buffers,
                           gapcam_handle settings, char *message) {
  return guard(message, [&] {
    record_update(program, UpdateKind::sgd, "sgd", count, parameters, gradients, momentum_buffers,
                  nullptr, settings);
  });
}

int32_t gapcam_program_compile(gapcam_handle program, char *message) {
  return guard(message, [&] {
    const auto object = find_program(program);
    std::lock_guard lock(object->device->mutex);
    require(!object->executable, "Cannot compile a program twice");
    require(!object->graph->operations.empty(), "Cannot compile a program without operations");
    object->executable = object->device->device->compile(object->graph);
  });
}

int32_t gapcam_program_run(gapcam_handle program, uint32_t phases, char *message) {
  return guard(message, [&] {
    const auto object = find_program(program);
    std::lock_guard lock(object->device->mutex);
    require(object->executable != nullptr, "Cannot run a program that is not compiled");
    const uint32_t all = GAPCAM_FORWARD | GAPCAM_BACKWARD | GAPCAM_UPDATE;
    require(phases != 0 && (phases & ~all) == 0,
            format("Cannot run phases %u: expected a sum of 1 (forward), 2 (backward) and 4 "
                   "(update)",
                   phases));
    require(!(phases & GAPCAM_BACKWARD) || object->graph->backward.recorded,
            "Cannot run backward: the program has no backward pass");
    require(!(phases & GAPCAM_UPDATE) || !object->graph->updates.empty(),
            "Cannot run an update: the program has none");
    object->executable->run(phases);
  });
}

int32_t gapcam_program_describe(gapcam_handle program, char *json, uint64_t capacity,
                                uint64_t *needed, char *message) {
  return guard(message, [&] {
    const auto object = find_program(program);
    std::lock_guard lock(object->device->mutex);
    require(object->executable != nullptr, "Cannot describe a program that is not compiled");
    copy_text(object->executable->describe(), json, capacity, needed);
  });
}

}  // extern "C"
