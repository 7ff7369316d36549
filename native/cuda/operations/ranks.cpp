#include "ranks.h"

#include <algorithm>
#include <vector>

#include "../lowering.h"
#include "elementwise.h"

namespace gapcam::cuda {

namespace {

// A tensor within what is summed of all of them together.
struct Part {
  View view;
  int64_t count, start;
};

// Pieces of parts as copy_pieces takes them: to the bucket, or back.
View piece_list(Lowering &l, const std::vector<Part> &parts, const View &bucket, bool back) {
  std::vector<std::pair<Part, int64_t>> pieces;
  for (const Part &part : parts) {
    for (int64_t i = 0; i < part.count; i += update_chunk) pieces.emplace_back(part, i);
  }
  return l.constant(pieces.size() * sizeof(UpdateChunk), [=, address = l.addresses()] {
    std::string content;
    for (const auto &[part, first] : pieces) {
      float *tensor = reinterpret_cast<float *>(address(part.view)) + first;
      float *place = reinterpret_cast<float *>(address(bucket)) + part.start + first;
      UpdateChunk chunk{};
      chunk.parameter = back ? tensor : place;
      chunk.gradient = back ? place : tensor;
      chunk.count = std::min<int64_t>(update_chunk, part.count - first);
      content.append(reinterpret_cast<const char *>(&chunk), sizeof chunk);
    }
    return content;
  });
}

int64_t piece_count(const std::vector<Part> &parts) {
  int64_t count = 0;
  for (const Part &part : parts) count += (part.count + update_chunk - 1) / update_chunk;
  return count;
}

}  // namespace

const NcclCommunicator &joined(const Graph &graph) {
  const auto *ranks = dynamic_cast<const NcclCommunicator *>(graph.communicator.get());
  if (ranks) return *ranks;
  throw Error(GAPCAM_INVALID_ARGUMENT,
              "Cannot sum over ranks on the CUDA device: its GPU has not joined those of the other "
              "ranks");
}

void lower(Lowering &l, const Operation &o, const WholeBatch &) {
  const NcclCommunicator &ranks = joined(l.fused().graph);
  const View own = l.read(o.inputs[0]), settings = l.read(o.inputs[1]), whole = l.read(o.inputs[2]);
  l.begin(o);
  const size_t bytes = loss_parts * sizeof(float);
  const View part = l.temporary(bytes),
             all = l.temporary(bytes * static_cast<size_t>(ranks.size())),
             share = l.write(o.outputs[0]);
  for (const size_t i : {0, 2}) l.changes(o.phase, l.storage(o.inputs[i]));
  l.run(
      [=, &ranks, address = l.addresses()](const Gpu &gpu) {
        gpu.launch(gpu.kernels().take_loss_part, 1, 1, address(own), address(settings),
                   address(part));
        ranks.gather(address(part), address(all), bytes);
        gpu.launch(gpu.kernels().count_whole_batch, 1, 1, address(whole), address(all),
                   address(part), address(share), ranks.size());
      },
      3);
}

// Each rank sums one part of the numbers, in the order of ranks, and gives it to all others: as
// many bytes go over the links as around a ring, and the sums are the same from run to run.
void lower(Lowering &l, const Operation &o, const AllReduce &reduce) {
  const NcclCommunicator &ranks = joined(l.fused().graph);
  std::vector<Part> parts;
  int64_t total = 0;
  for (const Operand &input : o.inputs) {
    const int64_t count = element_count(l.shape(input.value));
    parts.push_back({l.read_plain(input), count, total});
    total += count;
    l.changes(o.phase, l.storage(input));
  }
  const int64_t size = ranks.size();
  // In groups of 16 bytes.
  const int64_t each = (total + 4 * size - 1) / (4 * size) * 4;
  const auto bytes = static_cast<size_t>(each * size) * sizeof(float);
  const bool fast = l.fused().graph.fast_sum;
  Step &step = l.begin(o, name_of(o), no_value);
  step.name = format("all_reduce of %zu tensors over %lld ranks", parts.size(),
                     static_cast<long long>(size));
  step.algorithm = fast ? "the library's" : "in the order of ranks";
  const View bucket = l.temporary(bytes), chunks = fast ? View{} : l.temporary(bytes);
  const auto middle = parts.begin() + static_cast<std::ptrdiff_t>(reduce.sums);
  const std::vector<Part> sums(parts.begin(), middle), means(middle, parts.end());
  const View there = piece_list(l, parts, bucket, false),
             back = sums.empty() ? View{} : piece_list(l, sums, bucket, true),
             back_means = means.empty() ? View{} : piece_list(l, means, bucket, true);
  const int64_t pieces = piece_count(parts), sum_pieces = piece_count(sums),
                mean_pieces = piece_count(means);
  l.run(
      [=, &ranks, address = l.addresses()](const Gpu &gpu) {
        const auto &copy = gpu.kernels().copy_pieces;
        gpu.launch(copy, pieces, 1, address(there), 1.0f);
        if (fast) {
          ranks.sum(address(bucket), static_cast<size_t>(total));
        } else {
          ranks.exchange(address(bucket), address(chunks), static_cast<size_t>(each));
          gpu.launch_over(gpu.kernels().sum_ranks, each, address(chunks), each,
                          static_cast<int>(size));
          ranks.gather(address(chunks), address(bucket), static_cast<size_t>(each) * sizeof(float));
        }
        gpu.launch(copy, sum_pieces, 1, address(back), 1.0f);
        gpu.launch(copy, mean_pieces, 1, address(back_means), 1.0f / static_cast<float>(size));
      },
      fast ? 4 : 6);
}

}  // namespace gapcam::cuda
