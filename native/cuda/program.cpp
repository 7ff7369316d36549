// What all steps share: buffers and where they lie.
#include "program.h"

#include <algorithm>

namespace gapcam::cuda {

namespace {

constexpr int64_t most_sum_blocks = 512;

size_t at(ValueId value) { return static_cast<size_t>(value); }

}  // namespace

Program::Program(std::shared_ptr<const Graph> graph, gapcam_precision precision, Planner &planner)
    : graph_(std::move(graph)),
      planner_(planner),
      bf16_(precision == GAPCAM_PRECISION_BF16),
      tf32_(precision == GAPCAM_PRECISION_TF32),
      lanes_(bf16_ ? bf16_lanes : f32_lanes),
      fused_(fuse(*graph_)),
      values_(graph_->values.size()),
      imported_(graph_->values.size()),
      gradients_(graph_->values.size()),
      targets_(graph_->values.size()),
      sloped_(graph_->values.size(), false) {
  for (const Value &value : graph_->values) {
    auto *one = static_cast<CudaStorage *>(value.storage.get());
    if (one) staged_.push_back(one);
  }
  for (const Node &node : fused_.nodes) build_forward(node);
  if (!repacks_.empty()) {
    const View list = new_constant(repacks_.size() * sizeof(RepackChunk), [this] {
      std::string content;
      for (const auto &one : repacks_) {
        const RepackChunk chunk = one();
        content.append(reinterpret_cast<const char *>(&chunk), sizeof chunk);
      }
      return content;
    });
    prepare("prepare weights", [=](const Gpu &gpu) {
      gpu.launch(gpu.kernels().repack, static_cast<int64_t>(repacks_.size()), 1, address(list));
    });
  }
  if (graph_->backward.recorded) build_backward();
  for (const Update &update : graph_->updates) build_update(update);
  for (size_t i = 0; i < graph_->values.size(); i++) {
    if (graph_->values[i].readable && is_map(static_cast<ValueId>(i))) {
      conversion_bytes_ = std::max(conversion_bytes_,
                                   static_cast<size_t>(element_count(graph_->values[i].shape)) * 4);
    }
  }
  schedule_.place();
}

Step &Program::begin_step(uint32_t phase, const Node *node, const char *operation) {
  return schedule_.begin(phase, operation,
                         node ? format("%d %s %s", node->index, operation,
                                       to_string(shape(node->operation.output)).c_str())
                              : operation);
}

void Program::run(std::function<void(const Gpu &)> body) {
  schedule_.current().body = [this, body = std::move(body)] { body(*gpu_); };
}

void Program::prepare(const char *name, std::function<void(const Gpu &)> body) {
  Step step;
  step.operation = step.name = name;
  step.body = [this, body = std::move(body)] { body(*gpu_); };
  preparation_.push_back(std::move(step));
}

View Program::new_constant(size_t bytes, std::function<std::string()> content) {
  const View place = schedule_.make_forever(bytes);
  constants_.push_back({place, std::move(content)});
  return place;
}

size_t Program::value_bytes(ValueId value) const {
  const Shape &s = shape(value);
  if (!is_map(value)) return static_cast<size_t>(element_count(s)) * 4;
  return static_cast<size_t>(s[0] * pixels(value) * stored_channels(value)) * element_bytes();
}

int64_t Program::groups(ValueId value) const {
  return static_cast<int64_t>((value_bytes(value) + 15) / 16);
}

View Program::new_value(ValueId value) { return schedule_.make(value_bytes(value)); }

void Program::use_workspace(int64_t bytes) {
  if (bytes <= 0) return;
  schedule_.reserve_scratch(static_cast<size_t>(bytes));
}

CudaStorage *Program::storage(ValueId value) const {
  return value == no_value ? nullptr
                           : static_cast<CudaStorage *>(graph_->value(value).storage.get());
}

View Program::input(ValueId value) {
  if (value == no_value) return {};
  CudaStorage *one = storage(value);
  if (!one) {
    schedule_.use(values_[at(value)]);
    return values_[at(value)];
  }
  if (!is_map(value) || graph_->value(value).type != DataType::f32) return {one};
  schedule_.use(imported_[at(value)]);
  return imported_[at(value)];
}

// A device's tensor that is read as a map: brought into the maps' form by a step of its own.
void Program::import_map(ValueId value) {
  CudaStorage *one = storage(value);
  if (!one || !is_map(value) || graph_->value(value).type != DataType::f32 ||
      imported_[at(value)]) {
    return;
  }
  imported_[at(value)] = new_value(value);
  begin_step(GAPCAM_FORWARD, nullptr, "import").name = "import " + to_string(shape(value));
  schedule_.use(imported_[at(value)]);
  const View made = imported_[at(value)];
  const MapCopy copy = map_copy(shape(value), true);
  run([=](const Gpu &gpu) {
    const int64_t count = copy.batch * copy.pixels * copy.channels;
    const auto run = [&](const auto &kernel) {
      gpu.launch_over(kernel, count, one->address(), address(made), copy);
    };
    bf16_ ? run(gpu.kernels().copy_f32_to_bf16) : run(gpu.kernels().copy_f32_to_f32);
  });
}

View Program::output(ValueId value) {
  if (!values_[at(value)]) {
    values_[at(value)] = new_value(value);
    if (graph_->value(value).readable) schedule_.keep(values_[at(value)]);
  }
  schedule_.use(values_[at(value)]);
  return values_[at(value)];
}

CudaStorage *Program::required_storage(ValueId value, const char *role) const {
  if (CudaStorage *one = storage(value)) return one;
  throw Error(GAPCAM_UNSUPPORTED,
              format("Cannot compile the program: a %s is made by the program, expected a tensor "
                     "of the device",
                     role));
}

SumShape Program::sum_shape(int64_t positions, int64_t all_channels, int values) const {
  const int64_t group_count = all_channels / lanes_;
  SumShape made;
  while (made.columns < group_count && made.columns < 32) made.columns *= 2;
  made.blocks = (group_count + made.columns - 1) / made.columns;
  const int64_t rows = block_threads / made.columns;
  // So many blocks that enough loads are under way to fill the memory's rate on large GPUs, and no
  // more, since all of their sums are read once more.
  made.slices = std::clamp<int64_t>(positions / (rows * 8), 1,
                                    std::max<int64_t>(64, most_sum_blocks / made.blocks));
  made.finish_blocks = (all_channels + finish_columns - 1) / finish_columns;
  made.partial_bytes = static_cast<size_t>(made.slices * values * all_channels) * sizeof(float);
  return made;
}

// Between a tensor of the device [n, p, c] of f32 and a map.
MapCopy Program::map_copy(const Shape &map, bool from_storage) const {
  const int64_t channels = map[1], all = stored(map[1]), count = map[2] * map[3];
  MapCopy copy{};
  copy.batch = map[0];
  copy.pixels = count;
  copy.channels = from_storage ? all : channels;
  copy.filled = channels;
  copy.source_batch = (from_storage ? channels : all) * count;
  copy.source_pixel = from_storage ? channels : all;
  copy.source_channel = 1;
  copy.target_batch = (from_storage ? all : channels) * count;
  copy.target_pixel = from_storage ? all : channels;
  copy.target_channel = 1;
  copy.channels_innermost = 1;
  return copy;
}

void Program::add_repack(std::vector<std::function<RepackChunk()>> &list, View source, View target,
                         View factor, int64_t rows, int64_t source_rows, int64_t pixel_count,
                         int64_t channels, int64_t source_channels, bool from_bf16,
                         bool to_bf16) const {
  const int64_t total = rows * pixel_count * channels;
  for (int64_t begin = 0; begin < total; begin += update_chunk) {
    list.push_back([=] {
      RepackChunk chunk{};
      chunk.source = reinterpret_cast<const void *>(address(source));
      chunk.target = reinterpret_cast<void *>(address(target));
      chunk.factor = reinterpret_cast<const float *>(address(factor));
      chunk.begin = begin;
      chunk.count = std::min<int64_t>(update_chunk, total - begin);
      chunk.pixels = static_cast<int>(pixel_count);
      chunk.source_rows = static_cast<int>(source_rows);
      chunk.source_channels = static_cast<int>(source_channels);
      chunk.target_channels = static_cast<int>(channels);
      chunk.from_bf16 = from_bf16;
      chunk.to_bf16 = to_bf16;
      return chunk;
    });
  }
}

void Program::bind(const Gpu &gpu, driver::Pointer arena) {
  arena_ = arena;
  gpu_ = &gpu;
  std::vector<std::string> contents;  // alive until the copies are done
  for (const Constant &constant : constants_) {
    contents.push_back(constant.content());
    gpu.check(gpu.driver().cuMemcpyHtoDAsync_v2(address(constant.place), contents.back().data(),
                                                contents.back().size(), gpu.stream()),
              "copy a program to the GPU");
  }
  gpu.synchronise("copy a program to the GPU");
}

uint64_t Program::preparation_version() const {
  uint64_t sum = 0;  // versions only grow
  for (const CudaStorage *one : prepared_) sum += one->version();
  return sum;
}

void Program::mark_changed(uint32_t phases) const {
  for (const auto &[phase, one] : changed_) {
    if (phase & phases) one->changed();
  }
}

void Program::read(const Gpu &gpu, ValueId value, void *data, size_t bytes) const {
  const View reference = values_[at(value)];
  driver::Pointer source = address(reference);
  if (is_map(value)) {
    // Gradients of the device's tensors lie as those do; the program's own values are maps.
    const bool is_gradient = graph_->value(value).producer < 0;
    const Shape &s = shape(value);
    const int64_t channels = s[1], count = pixels(value);
    MapCopy copy = map_copy(s, is_gradient);
    copy.channels = channels;
    copy.target_batch = channels * count;
    copy.target_pixel = 1;
    copy.target_channel = count;
    copy.channels_innermost = 0;
    const int64_t total = s[0] * channels * count;
    if (bf16_ && !is_gradient) {
      gpu.launch_over(gpu.kernels().copy_bf16_to_f32, total, source, gpu.conversion(), copy);
    } else {
      gpu.launch_over(gpu.kernels().copy_f32_to_f32, total, source, gpu.conversion(), copy);
    }
    source = gpu.conversion();
  }
  gpu.check(gpu.driver().cuMemcpyDtoHAsync_v2(data, source, bytes, gpu.stream()),
            "copy a result from the GPU");
  gpu.synchronise("copy a result from the GPU");
}

}  // namespace gapcam::cuda
