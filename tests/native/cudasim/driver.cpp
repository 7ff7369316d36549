// libcuda.so.1
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "launch.h"
#include "sim.h"

namespace gapcam::cuda::driver {

#define CUDASIM_DECLARE(name, result, parameters) \
  extern "C" __attribute__((visibility("default"))) result name parameters;
GAPCAM_DRIVER_FUNCTIONS(CUDASIM_DECLARE)
#undef CUDASIM_DECLARE

namespace {

enum : Result {
  invalid_value = 1,
  invalid_context = 201,
  invalid_image = 200,
  not_found = 500,
  illegal_address = 700,
  launch_failed = 719,
  capture_unsupported = 900,
  capture_invalidated = 901,
  capture_isolation = 905
};

using Work = std::shared_ptr<std::function<void()>>;

}  // namespace

struct GraphObject {
  std::vector<Work> work;
};
struct GraphExecutableObject {
  std::vector<Work> work;
};
struct StreamObject {
  std::deque<Work> queue;
  uint64_t enqueued = 0, done = 0;
  std::unique_ptr<GraphObject> capturing;
  std::thread::id capturer;
  bool invalidated = false;  // by a call that a capture does not allow
};
struct EventObject {
  Stream stream = nullptr;  // null: never recorded
  uint64_t position = 0;
};
struct FunctionObject {
  const cudasim::HostKernel *kernel;
};
struct ModuleObject {
  std::map<std::string, FunctionObject> functions;
};
struct ContextObject {
  int users = 0;
};

namespace {

// Everything is done under one lock: what is simulated is order, not speed.
struct Simulation {
  std::recursive_mutex mutex;
  ContextObject context;
  std::map<Pointer, size_t> memory;
  std::map<void *, size_t> pinned;
  std::map<Stream, std::unique_ptr<StreamObject>> streams;
  std::map<Event, std::unique_ptr<EventObject>> events;
  size_t used = 0;
  long long graphs = 0, modules = 0;  // that are not destroyed
  long long allocations = 0, launches = 0;
  Result failure = success;  // stays, as on a GPU
  long long devices() const { return cudasim::setting("CUDASIM_DEVICES", 1); }
  long long capability() const { return cudasim::setting("CUDASIM_CAPABILITY", 90); }
  long long bytes() const { return cudasim::setting("CUDASIM_BYTES", 8ll << 30); }
  long long fail_allocation() const { return cudasim::setting("CUDASIM_FAIL_ALLOCATION", 0); }
  long long fail_launch() const { return cudasim::setting("CUDASIM_FAIL_LAUNCH", 0); }
  long long version() const { return cudasim::setting("CUDASIM_DRIVER", 13000); }
};

Simulation &sim() {
  static Simulation *simulation = new Simulation;
  return *simulation;
}

thread_local Context current_context = nullptr;

// A call of the API: locked, in a context, and refused once the device has failed.
class Call {
 public:
  Call() : lock_(sim().mutex) {}
  Result status() const {
    if (!current_context) return invalid_context;
    return sim().failure;
  }

 private:
  std::lock_guard<std::recursive_mutex> lock_;
};

void run_until(Stream stream, uint64_t position) {
  while (stream->done < position && !stream->queue.empty()) {
    const Work work = stream->queue.front();
    stream->queue.pop_front();
    stream->done++;
    if (sim().failure == success) (*work)();
  }
}

void run_everything() {
  for (auto &[stream, object] : sim().streams) run_until(stream, object->enqueued);
}

// A call that would wait for the device or change its memory ends a capture by its thread.
bool forbidden_by_capture() {
  bool found = false;
  for (auto &[stream, object] : sim().streams) {
    if (!object->capturing || object->capturer != std::this_thread::get_id()) continue;
    object->invalidated = found = true;
  }
  return found;
}

Result invalidate(Stream stream, Result why) {
  stream->invalidated = true;
  return why;
}

Result add(Stream stream, std::function<void()> work) {
  if (!sim().streams.count(stream)) return invalid_value;
  auto shared = std::make_shared<std::function<void()>>(std::move(work));
  if (stream->capturing) {
    if (stream->invalidated) return capture_invalidated;
    stream->capturing->work.push_back(std::move(shared));
  } else {
    stream->queue.push_back(std::move(shared));
    stream->enqueued++;
    if (cudasim::setting("CUDASIM_EAGER", 0)) run_until(stream, stream->enqueued);
  }
  return success;
}

// Whether [pointer, pointer + bytes) lies in one allocation.
bool inside(Pointer pointer, size_t bytes) {
  auto next = sim().memory.upper_bound(pointer);
  if (next == sim().memory.begin()) return false;
  --next;
  return pointer + bytes <= next->first + next->second;
}

bool is_pinned(const void *pointer) {
  auto next = sim().pinned.upper_bound(const_cast<void *>(pointer));
  if (next == sim().pinned.begin()) return false;
  --next;
  return static_cast<const char *>(pointer) < static_cast<char *>(next->first) + next->second;
}

}  // namespace

Result cuInit(uint32_t) { return success; }

Result cuDriverGetVersion(int32_t *version) {
  *version = static_cast<int32_t>(sim().version());
  return success;
}

Result cuGetErrorName(Result error, const char **name) {
  *name = error == out_of_memory     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == illegal_address ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                                     : "CUDA_ERROR_SIMULATED";
  return success;
}

Result cuGetErrorString(Result error, const char **text) {
  *text = error == out_of_memory     ? "out of memory"
          : error == illegal_address ? "an illegal memory access was encountered"
                                     : "a simulated error";
  return success;
}

Result cuDeviceGetCount(int32_t *count) {
  *count = static_cast<int32_t>(sim().devices());
  return success;
}

Result cuDeviceGet(Device *device, int32_t index) {
  if (index < 0 || index >= sim().devices()) return invalid_device;
  *device = index;
  return success;
}

Result cuDeviceGetName(char *name, int32_t capacity, Device) {
  std::strncpy(name, "Simulated GPU", static_cast<size_t>(capacity));
  return success;
}

Result cuDeviceGetAttribute(int32_t *value, Attribute attribute, Device) {
  switch (attribute) {
    case multiprocessor_count:
      *value = 4;
      return success;
    case compute_capability_major:
      *value = static_cast<int32_t>(sim().capability() / 10);
      return success;
    case compute_capability_minor:
      *value = static_cast<int32_t>(sim().capability() % 10);
      return success;
  }
  return invalid_value;
}

// Alike in every process, as those of one machine's GPUs are.
Result cuDeviceGetUuid_v2(void *identity, Device device) {
  std::memset(identity, 0, 16);
  std::memcpy(identity, &device, sizeof device);
  return success;
}

Result cuDeviceTotalMem_v2(size_t *bytes, Device) {
  *bytes = static_cast<size_t>(sim().bytes());
  return success;
}

Result cuDevicePrimaryCtxRetain(Context *context, Device) {
  std::lock_guard lock(sim().mutex);
  if (sim().context.users++ == 0) sim().allocations = sim().launches = 0;
  *context = &sim().context;
  return success;
}

Result cuDevicePrimaryCtxRelease_v2(Device) {
  std::lock_guard lock(sim().mutex);
  // With its last user a failed context goes, and with it the failure. On a GPU cuDNN and cuBLAS
  // stay users until the process ends.
  if (--sim().context.users == 0 && !cudasim::setting("CUDASIM_KEEP_FAILURE", 0)) {
    sim().failure = success;
  }
  return success;
}

Result cuCtxSetCurrent(Context context) {
  current_context = context;
  return success;
}

Result cuMemGetInfo_v2(size_t *free, size_t *total) {
  const Call call;
  *total = static_cast<size_t>(sim().bytes());
  *free = *total > sim().used ? *total - sim().used : 0;
  return call.status();
}

Result cuMemAlloc_v2(Pointer *pointer, size_t bytes) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (forbidden_by_capture()) return capture_unsupported;
  if (bytes == 0) return invalid_value;
  if (++sim().allocations == sim().fail_allocation()) return out_of_memory;
  if (sim().used + bytes > static_cast<size_t>(sim().bytes())) return out_of_memory;
  void *made = nullptr;
  if (posix_memalign(&made, 256, bytes) != 0) return out_of_memory;
  std::memset(made, 0xff, bytes);
  sim().used += bytes;
  *pointer = reinterpret_cast<Pointer>(made);
  sim().memory[*pointer] = bytes;
  return success;
}

Result cuMemFree_v2(Pointer pointer) {
  const Call call;
  const auto found = sim().memory.find(pointer);
  if (found == sim().memory.end()) return invalid_value;
  if (forbidden_by_capture()) return capture_unsupported;
  run_everything();
  sim().used -= found->second;
  sim().memory.erase(found);
  std::free(reinterpret_cast<void *>(pointer));
  return sim().failure;
}

Result cuMemHostAlloc(void **pointer, size_t bytes, uint32_t) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (forbidden_by_capture()) return capture_unsupported;
  if (++sim().allocations == sim().fail_allocation()) return out_of_memory;
  *pointer = std::malloc(bytes);
  sim().pinned[*pointer] = bytes;
  return *pointer ? success : out_of_memory;
}

Result cuMemFreeHost(void *pointer) {
  const Call call;
  if (forbidden_by_capture()) return capture_unsupported;
  if (!sim().pinned.erase(pointer)) return invalid_value;
  run_everything();
  std::free(pointer);
  return sim().failure;
}

Result cuMemsetD8Async(Pointer target, unsigned char value, size_t bytes, Stream stream) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (!inside(target, bytes)) return invalid_value;
  return add(stream, [=] { std::memset(reinterpret_cast<void *>(target), value, bytes); });
}

Result cuMemcpyHtoDAsync_v2(Pointer target, const void *source, size_t bytes, Stream stream) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (!inside(target, bytes)) return invalid_value;
  if (is_pinned(source)) {
    return add(stream, [=] { std::memcpy(reinterpret_cast<void *>(target), source, bytes); });
  }
  // The driver takes pageable memory at once, which a capture cannot record.
  if (stream->capturing) return invalidate(stream, capture_unsupported);
  const auto staged = std::make_shared<std::string>(static_cast<const char *>(source), bytes);
  return add(stream, [=] { std::memcpy(reinterpret_cast<void *>(target), staged->data(), bytes); });
}

Result cuMemcpyDtoHAsync_v2(void *target, Pointer source, size_t bytes, Stream stream) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (!inside(source, bytes)) return invalid_value;
  if (stream->capturing && !is_pinned(target)) return invalidate(stream, capture_unsupported);
  return add(stream, [=] { std::memcpy(target, reinterpret_cast<void *>(source), bytes); });
}

Result cuMemcpyDtoDAsync_v2(Pointer target, Pointer source, size_t bytes, Stream stream) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (!inside(source, bytes) || !inside(target, bytes)) return invalid_value;
  return add(stream, [=] {
    std::memcpy(reinterpret_cast<void *>(target), reinterpret_cast<void *>(source), bytes);
  });
}

Result cuStreamCreate(Stream *stream, uint32_t) {
  const Call call;
  if (const Result status = call.status()) return status;
  auto made = std::make_unique<StreamObject>();
  *stream = made.get();
  sim().streams[*stream] = std::move(made);
  return success;
}

Result cuStreamDestroy_v2(Stream stream) {
  const Call call;
  if (!sim().streams.count(stream)) return invalid_value;
  run_until(stream, stream->enqueued);
  sim().streams.erase(stream);
  return sim().failure;
}

Result cuStreamSynchronize(Stream stream) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (!sim().streams.count(stream)) return invalid_value;
  if (stream->capturing) return invalidate(stream, capture_unsupported);
  run_until(stream, stream->enqueued);
  return sim().failure;
}

Result cuStreamWaitEvent(Stream stream, Event event, uint32_t) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (!sim().events.count(event) || !sim().streams.count(stream)) return invalid_value;
  // No event is recorded while a stream is captured, so none belongs to the capture.
  if (stream->capturing) return invalidate(stream, capture_isolation);
  const Stream other = event->stream;
  const uint64_t position = event->position;
  if (!other) return success;
  return add(stream, [=] {
    if (sim().streams.count(other)) run_until(other, position);
  });
}

Result cuStreamBeginCapture_v2(Stream stream, CaptureMode) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (stream->capturing) return invalid_value;
  stream->capturing = std::make_unique<GraphObject>();
  stream->capturer = std::this_thread::get_id();
  stream->invalidated = false;
  return success;
}

Result cuStreamEndCapture(Stream stream, Graph *graph) {
  const Call call;
  if (!stream->capturing || stream->capturer != std::this_thread::get_id()) return invalid_value;
  if (stream->invalidated) {
    stream->capturing.reset();
    *graph = nullptr;
    return capture_invalidated;
  }
  *graph = stream->capturing.release();
  sim().graphs++;
  return sim().failure;
}

Result cuEventCreate(Event *event, uint32_t) {
  const Call call;
  if (const Result status = call.status()) return status;
  auto made = std::make_unique<EventObject>();
  *event = made.get();
  sim().events[*event] = std::move(made);
  return success;
}

Result cuEventDestroy_v2(Event event) {
  const Call call;
  return sim().events.erase(event) ? sim().failure : invalid_value;
}

Result cuEventRecord(Event event, Stream stream) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (!sim().events.count(event) || !sim().streams.count(stream)) return invalid_value;
  if (stream->capturing) return invalidate(stream, capture_unsupported);
  event->stream = stream;
  event->position = stream->enqueued;
  return success;
}

Result cuEventSynchronize(Event event) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (event->stream && sim().streams.count(event->stream)) {
    run_until(event->stream, event->position);
  }
  return sim().failure;
}

Result cuEventElapsedTime(float *milliseconds, Event start, Event end) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (!start->stream || !end->stream) return invalid_value;
  if (end->stream->done < end->position) return not_ready;
  *milliseconds = 0.001f;
  return success;
}

Result cuGraphInstantiateWithFlags(GraphExecutable *executable, Graph graph, unsigned long long) {
  const Call call;
  if (const Result status = call.status()) return status;
  *executable = new GraphExecutableObject{graph->work};
  sim().graphs++;
  return success;
}

Result cuGraphLaunch(GraphExecutable executable, Stream stream) {
  const Call call;
  if (const Result status = call.status()) return status;
  const std::vector<Work> work = executable->work;
  return add(stream, [=] {
    for (const Work &one : work) {
      if (sim().failure == success) (*one)();
    }
  });
}

Result cuGraphDestroy(Graph graph) {
  const Call call;
  sim().graphs--;
  delete graph;
  return success;
}

Result cuGraphExecDestroy(GraphExecutable executable) {
  const Call call;
  run_everything();
  sim().graphs--;
  delete executable;
  return sim().failure;
}

Result cuModuleLoadData(Module *module, const void *image) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (forbidden_by_capture()) return capture_unsupported;
  if (std::strncmp(static_cast<const char *>(image), "cudasim", 7) != 0) return invalid_image;
  *module = new ModuleObject;
  sim().modules++;
  return success;
}

Result cuModuleUnload(Module module) {
  const Call call;
  run_everything();
  sim().modules--;
  delete module;
  return sim().failure;
}

Result cuModuleGetFunction(Function *function, Module module, const char *name) {
  const Call call;
  if (const Result status = call.status()) return status;
  const cudasim::HostKernel *kernel = cudasim::find_kernel(name);
  if (!kernel) return not_found;
  *function = &module->functions.emplace(name, FunctionObject{kernel}).first->second;
  return success;
}

Result cuLaunchKernel(Function function, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z,
                      uint32_t block_x, uint32_t block_y, uint32_t block_z, uint32_t, Stream stream,
                      void **arguments, void **) {
  const Call call;
  if (const Result status = call.status()) return status;
  if (grid_x == 0 || grid_y == 0 || grid_z != 1 || block_x == 0 || block_x > 1024 || block_y != 1 ||
      block_z != 1 || grid_y > 0xffff) {
    return invalid_value;
  }
  // Arguments are taken when a kernel is launched, not when it runs.
  const cudasim::HostKernel &kernel = *function->kernel;
  std::vector<std::string> values;
  for (size_t i = 0; i < kernel.parameter_bytes.size(); i++) {
    values.emplace_back(static_cast<const char *>(arguments[i]), kernel.parameter_bytes[i]);
  }
  return add(stream, [=, &kernel]() mutable {
    if (++sim().launches == sim().fail_launch()) {
      sim().failure = illegal_address;
      return;
    }
    std::vector<void *> addresses;
    for (std::string &value : values) addresses.push_back(value.data());
    cudasim::run_kernel(kernel, {grid_x, grid_y, 1}, {block_x, 1, 1}, addresses.data());
  });
}

}  // namespace gapcam::cuda::driver

extern "C" __attribute__((visibility("default"))) void cudasim_counts(long long *allocations,
                                                                      long long *launches) {
  *allocations = gapcam::cuda::driver::sim().allocations;
  *launches = gapcam::cuda::driver::sim().launches;
}

extern "C" __attribute__((visibility("default"))) long long cudasim_left() {
  const gapcam::cuda::driver::Simulation &sim = gapcam::cuda::driver::sim();
  return static_cast<long long>(sim.memory.size() + sim.pinned.size() + sim.streams.size() +
                                sim.events.size()) +
         sim.graphs + sim.modules + sim.context.users;
}

extern "C" __attribute__((visibility("default"))) gapcam::cuda::driver::Result cudasim_enqueue(
    gapcam::cuda::driver::Stream stream, void (*run)(void *), void *data, void (*destroy)(void *)) {
  using namespace gapcam::cuda::driver;
  const std::shared_ptr<void> owned(data, destroy);
  const Call call;
  if (const Result status = call.status()) return status;
  return add(stream, [=] { run(owned.get()); });
}

extern "C" __attribute__((visibility("default"))) gapcam::cuda::driver::Result cudasim_ready() {
  const gapcam::cuda::driver::Call call;
  return call.status();
}

extern "C" __attribute__((visibility("default"))) bool cudasim_holds(const void *pointer,
                                                                     size_t bytes) {
  const gapcam::cuda::driver::Call call;
  return gapcam::cuda::driver::inside(reinterpret_cast<gapcam::cuda::driver::Pointer>(pointer),
                                      bytes);
}

extern "C" __attribute__((visibility("default"))) long long cudasim_compiled(long long more) {
  const gapcam::cuda::driver::Call call;
  static long long compiled = 0;
  return compiled += more;
}

extern "C" __attribute__((visibility("default"))) bool cudasim_captures(
    gapcam::cuda::driver::Stream stream) {
  const gapcam::cuda::driver::Call call;
  return gapcam::cuda::driver::sim().streams.count(stream) && stream->capturing;
}
