// Communicators, and the operations of programs that run on several ranks.
#include <algorithm>
#include <atomic>

#include "communication/lent_communicator.h"
#include "communication/mpi_library.h"
#include "communication/mpi_transport.h"
#include "communication/rank_communicator.h"
#include "communication/tcp_transport.h"
#include "guard.h"
#include "json.h"
#include "recorder.h"

using namespace gapcam;

namespace {

std::shared_ptr<Communicator> find(gapcam_handle handle) {
  return registry().find_communicator(handle);
}

// A program that sums over ranks must have been told of them.
void expect_communicator(Recorder &recorder) {
  recorder.check(recorder.graph().communicator != nullptr, "the program has no communicator",
                 GAPCAM_INVALID_ARGUMENT);
}

void join_once() {
  static std::atomic<bool> opened{false};
  require(!opened.exchange(true),
          "Cannot join the ranks twice: MPI starts and ends once in each process",
          GAPCAM_UNSUPPORTED);
}

}  // namespace

extern "C" {

int32_t gapcam_mpi_describe(char *json, uint64_t capacity, uint64_t *needed, char *message) {
  return guard(message, [&] {
    const MpiLibrary &mpi = mpi_library();
    copy_text(mpi.problem.empty()
                  ? format("{\"library\": %s, \"version\": %s, \"abi\": \"%s\"}",
                           quoted(mpi.path).c_str(), quoted(mpi.version).c_str(), name_of(mpi.abi))
                  : format("{\"problem\": %s}", quoted(mpi.problem).c_str()),
              json, capacity, needed);
  });
}

int32_t gapcam_communicator_open(gapcam_handle *communicator, char *message) {
  return guard(message, [&] {
    not_null(communicator, "communicator");
    join_once();
    *communicator =
        registry().add(std::make_shared<RankCommunicator>(std::make_shared<MpiTransport>()));
  });
}

int32_t gapcam_communicator_connect(const char *address, int32_t port, int32_t rank, int32_t size,
                                    const char *run, gapcam_handle *communicator, char *message) {
  return guard(message, [&] {
    not_null(communicator, "communicator");
    require(size >= 1 && rank >= 0 && rank < size,
            format("Cannot join the ranks: found rank %d of %d", rank, size));
    require(port >= 1 && port <= 65535,
            format("Cannot join the ranks: found TCP port %d, expected 1 to 65535", port));
    const TcpRun named{not_null(address, "address"), port, rank, size, not_null(run, "run")};
    join_once();
    *communicator =
        registry().add(std::make_shared<RankCommunicator>(std::make_shared<TcpTransport>(named)));
  });
}

int32_t gapcam_device_join(gapcam_handle device, const char *library, gapcam_handle ranks,
                           gapcam_handle *joined, char *message) {
  return guard(message, [&] {
    not_null(joined, "joined");
    const auto object = registry().find_device(device);
    const auto lent = std::make_shared<LentCommunicator>(not_null(library, "library"), ranks);
    std::lock_guard lock(object->mutex);
    *joined = registry().add(object->device->join(lent));
  });
}

int32_t gapcam_communicator_close(gapcam_handle communicator, char *message) {
  return guard(message, [&] {
    if (!communicator) return;
    registry().remove_communicator(communicator)->leave();
  });
}

int32_t gapcam_communicator_describe(gapcam_handle communicator, char *json, uint64_t capacity,
                                     uint64_t *needed, char *message) {
  return guard(message, [&] { copy_text(find(communicator)->describe(), json, capacity, needed); });
}

int32_t gapcam_communicator_broadcast(gapcam_handle communicator, void *data, uint64_t bytes,
                                      int32_t root, char *message) {
  return guard(message, [&] {
    const auto found = find(communicator);
    require(root >= 0 && root < found->size(),
            format("Cannot send from rank %d: there are %d, numbered from 0", root, found->size()));
    if (bytes > 0) found->broadcast(not_null(data, "data"), bytes, root);
  });
}

int32_t gapcam_communicator_all_gather(gapcam_handle communicator, const void *own, void *all,
                                       uint64_t bytes, char *message) {
  return guard(message, [&] {
    const auto found = find(communicator);
    if (bytes > 0) found->all_gather(not_null(own, "own"), not_null(all, "all"), bytes);
  });
}

int32_t gapcam_communicator_all_reduce(gapcam_handle communicator, void *numbers, uint64_t count,
                                       uint32_t flags, char *message) {
  return guard(message, [&] {
    const auto found = find(communicator);
    require(count <= INT32_MAX, format("Cannot sum %llu numbers at once: expected at most %d",
                                       static_cast<unsigned long long>(count), INT32_MAX));
    if (count == 0) return;
    auto *data = static_cast<float *>(not_null(numbers, "numbers"));
    const auto summed = std::make_shared<std::vector<float>>(data, data + count);
    found->sum(summed, (flags & GAPCAM_FAST_SUM) != 0);
    std::copy(summed->begin(), summed->end(), data);
  });
}

int32_t gapcam_communicator_barrier(gapcam_handle communicator, char *message) {
  return guard(message, [&] {
    const auto found = find(communicator);
    const char own = 0;
    std::vector<char> all(static_cast<size_t>(found->size()));
    found->all_gather(&own, all.data(), 1);
  });
}

int32_t gapcam_communicator_abort(gapcam_handle communicator, const char *reason, char *message) {
  return guard(message, [&] { find(communicator)->fail(not_null(reason, "reason")); });
}

int32_t gapcam_communicator_watch(gapcam_handle communicator, char *message) {
  return guard(message, [&] {
    const std::string failure = find(communicator)->wait_for_failure();
    require(failure.empty(), failure, GAPCAM_RANK_FAILED);
  });
}

int32_t gapcam_program_communicate(gapcam_handle program, gapcam_handle communicator,
                                   uint32_t flags, char *message) {
  return guard(message, [&] {
    const auto found = find(communicator);
    Recorder recorder(program, "communication");
    recorder.check(recorder.graph().operations.empty(), "the program has operations already",
                   GAPCAM_INVALID_ARGUMENT);
    const uint32_t all = GAPCAM_SYNC_BATCH_NORM | GAPCAM_FAST_SUM;
    recorder.check((flags & ~all) == 0,
                   format("its flags must be a sum of 1 (sync batch norm) and 2 (fast sum), found "
                          "%u",
                          flags),
                   GAPCAM_INVALID_ARGUMENT);
    recorder.graph().communicator = found;
    recorder.graph().sync_norm = (flags & GAPCAM_SYNC_BATCH_NORM) != 0;
    recorder.graph().fast_sum = (flags & GAPCAM_FAST_SUM) != 0;
  });
}

int32_t gapcam_program_whole_batch(gapcam_handle program, gapcam_handle own, gapcam_handle settings,
                                   gapcam_handle metrics, gapcam_handle *share, char *message) {
  return guard(message, [&] {
    not_null(share, "share");
    Recorder recorder(program, WholeBatch::name);
    expect_communicator(recorder);
    const Operand counted{recorder.use(own, "own metrics"), Role::metrics},
        given{recorder.use(settings, "settings"), Role::state},
        whole{recorder.use(metrics, "metrics"), Role::metrics};
    recorder.expect_shape(counted.value, {GAPCAM_METRIC_SLOTS}, "own metrics");
    recorder.expect_shape(given.value, {2}, "settings");
    recorder.expect_shape(whole.value, {GAPCAM_METRIC_SLOTS}, "metrics");
    *share = recorder.finish(WholeBatch{}, {counted, given, whole}, {1});
  });
}

int32_t gapcam_program_all_reduce(gapcam_handle program, int32_t count,
                                  const gapcam_handle *tensors, int32_t mean_count,
                                  const gapcam_handle *means, char *message) {
  return guard(message, [&] {
    Recorder recorder(program, AllReduce::name);
    expect_communicator(recorder);
    recorder.check(count >= 0 && mean_count >= 0 && count + mean_count >= 1,
                   "it needs at least one tensor", GAPCAM_INVALID_ARGUMENT);
    Operation sum;
    sum.phase = GAPCAM_UPDATE;
    sum.attributes = AllReduce{static_cast<size_t>(count)};
    for (int32_t i = 0; i < count + mean_count; i++) {
      const gapcam_handle *list =
          i < count ? not_null(tensors, "tensors") : not_null(means, "means");
      const ValueId value = recorder.use(list[i < count ? i : i - count], "tensor");
      const Value &made = recorder.graph().value(value);
      recorder.check(made.storage || made.readable,
                     "a tensor is neither a gradient of the program nor one of the device",
                     GAPCAM_INVALID_ARGUMENT);
      sum.inputs.push_back({value, made.storage ? Role::statistic : Role::gradient});
    }
    recorder.append(std::move(sum));
  });
}

}  // extern "C"
