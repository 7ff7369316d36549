#include "mpi_transport.h"

#include <algorithm>

#include "error.h"
#include "json.h"

namespace gapcam {

namespace {

// What fits an int, which is how MPI counts.
constexpr size_t most_bytes_at_once = size_t{1} << 30;

}  // namespace

MpiTransport::MpiTransport() : mpi_(mpi_library()) {
  if (mpi_.problem.empty()) return;
  throw Error(GAPCAM_DEVICE_UNAVAILABLE, "Cannot join the ranks: " + mpi_.problem);
}

void MpiTransport::start(int &rank, int &size) {
  int begun = 0, ended = 0, provided = 0;
  check(mpi_.MPI_Initialized(&begun), "ask whether MPI runs");
  check(mpi_.MPI_Finalized(&ended), "ask whether MPI ended");
  if (ended) {
    throw Error(GAPCAM_DEVICE_UNAVAILABLE,
                "Cannot join the ranks: MPI ended in this process, and starts once in each");
  }
  if (!begun) {
    check(mpi_.MPI_Init_thread(nullptr, nullptr, mpi_.thread_funneled, &provided), "start MPI");
  }
  // Errors are told, instead of ending the process.
  check(mpi_.MPI_Comm_set_errhandler(mpi_.world, mpi_.errors_return), "set MPI's error handler");
  check(mpi_.MPI_Comm_rank(mpi_.world, &rank), "ask MPI for the rank");
  check(mpi_.MPI_Comm_size(mpi_.world, &size), "ask MPI for the number of ranks");
  size_ = size;
}

void MpiTransport::check(int code, const char *action) const {
  if (code == 0) return;
  char text[1024] = "";
  int length = 0;
  mpi_.MPI_Error_string(code, text, &length);
  std::string reason(text, static_cast<size_t>(std::clamp(length, 0, 1000)));
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  throw Error(GAPCAM_RANK_FAILED,
              format("Cannot %s: %s reports %s", action, mpi_.path.c_str(), reason.c_str()));
}

void MpiTransport::gather(const void *own, void *all, size_t bytes) {
  if (bytes * static_cast<size_t>(size_) > most_bytes_at_once) {
    throw Error(GAPCAM_INVALID_ARGUMENT,
                format("Cannot gather %zu bytes of each rank: expected at most %zu in all", bytes,
                       most_bytes_at_once));
  }
  const auto count = static_cast<int>(bytes);
  check(mpi_.MPI_Allgather(own, count, mpi_.type_byte, all, count, mpi_.type_byte, mpi_.world),
        "gather from all ranks");
}

void MpiTransport::broadcast(void *data, size_t bytes, int root) {
  for (size_t done = 0; done < bytes; done += most_bytes_at_once) {
    const size_t count = std::min(most_bytes_at_once, bytes - done);
    check(mpi_.MPI_Bcast(static_cast<char *>(data) + done, static_cast<int>(count), mpi_.type_byte,
                         root, mpi_.world),
          "send to all ranks");
  }
}

void MpiTransport::sum(std::vector<float> &numbers, bool fast) {
  if (!fast) return sum_in_order(numbers);
  summed_.resize(numbers.size());
  check(mpi_.MPI_Allreduce(numbers.data(), summed_.data(), static_cast<int>(numbers.size()),
                           mpi_.type_float, mpi_.sum, mpi_.world),
        "sum over all ranks");
  std::copy(summed_.begin(), summed_.end(), numbers.begin());
}

// Each rank sums one part of the numbers, in the order of ranks, and gives it to all others: as
// many bytes go over the network as around a ring.
void MpiTransport::sum_in_order(std::vector<float> &numbers) {
  const auto ranks = static_cast<size_t>(size_);
  const size_t count = numbers.size(), part = (count + ranks - 1) / ranks;
  // What does not divide is filled up with zeros.
  numbers.resize(part * ranks, 0.0f);
  summed_.resize(part * ranks);
  chunks_.resize(part * ranks);
  const auto each = static_cast<int>(part);
  check(mpi_.MPI_Alltoall(numbers.data(), each, mpi_.type_float, chunks_.data(), each,
                          mpi_.type_float, mpi_.world),
        "send each rank its part of the gradients");
  float *sum = chunks_.data();
  for (size_t other = 1; other < ranks; other++) {
    const float *more = chunks_.data() + other * part;
    for (size_t i = 0; i < part; i++) sum[i] += more[i];
  }
  check(mpi_.MPI_Allgather(sum, each, mpi_.type_float, summed_.data(), each, mpi_.type_float,
                           mpi_.world),
        "gather the sums of the gradients");
  std::copy(summed_.begin(), summed_.end(), numbers.begin());
  numbers.resize(count);
}

void MpiTransport::barrier() { check(mpi_.MPI_Barrier(mpi_.world), "wait for all ranks"); }

void MpiTransport::finish() { check(mpi_.MPI_Finalize(), "end MPI"); }

std::string MpiTransport::describe() const {
  return format("\"library\": %s, \"version\": %s, \"abi\": \"%s\"", quoted(mpi_.path).c_str(),
                quoted(mpi_.version).c_str(), name_of(mpi_.abi));
}

}  // namespace gapcam
