#include "lowering.h"

#include <algorithm>

namespace gapcam::cuda {

namespace {

size_t at(ValueId value) { return static_cast<size_t>(value); }

Patterns patterns() {
  Patterns patterns;
  patterns.epilogue = is_epilogue;
  patterns.sum_into_convolution = [](const FusedGraph &, const Operation &) { return true; };
  patterns.sum_into_norm = patterns.sum_into_gradient = patterns.norm_computes_again = true;
  patterns.activation_into_gradient = [](const Activation &activation) {
    return activation.kind == GAPCAM_LEAKY_RELU;
  };
  return patterns;
}

}  // namespace

std::string refusal_of(const Graph &graph, const Operation &operation) {
  return std::visit([&](const auto &attributes) { return refusal(graph, operation, attributes); },
                    operation.attributes);
}

Lowering::Lowering(const Graph &graph, Program &program, gapcam_precision precision,
                   Planner &planner)
    : GraphLowering(fuse(graph, patterns()), program.schedule()),
      program_(program),
      planner_(planner),
      bf16_(precision == GAPCAM_PRECISION_BF16),
      tf32_(precision == GAPCAM_PRECISION_TF32),
      lanes_(bf16_ ? bf16_lanes : f32_lanes),
      maps_(graph.values.size(), false) {
  lower_each([&](const Operation &o, const auto &attributes) { lower(*this, o, attributes); });
  if (repacks_.empty()) return;
  prepare("prepare weights", [address = addresses(), list = chunk_list(repacks_),
                              count = static_cast<int64_t>(repacks_.size())](const Gpu &gpu) {
    gpu.launch(gpu.kernels().repack, count, 1, address(list));
  });
}

// ---- Sizes and shapes -------------------------------------------------------------------------

size_t Lowering::bytes(ValueId value) const {
  const Shape &s = shape(value);
  if (s.size() != 4) return static_cast<size_t>(element_count(s)) * sizeof(float);
  return static_cast<size_t>(s[0] * pixels(value) * stored_channels(value)) * element_bytes();
}

PoolShape Lowering::pool_shape(const Window2d &window, ValueId input, ValueId output) const {
  const auto number = [](int64_t value) { return static_cast<int>(value); };
  PoolShape pool{};
  pool.batch = number(shape(input)[0]);
  pool.channels = number(stored_channels(input));
  pool.height = number(shape(input)[2]);
  pool.width = number(shape(input)[3]);
  pool.output_height = number(shape(output)[2]);
  pool.output_width = number(shape(output)[3]);
  pool.kernel_height = window.kernel_height;
  pool.kernel_width = window.kernel_width;
  pool.stride_height = window.stride_height;
  pool.stride_width = window.stride_width;
  pool.padding_height = window.padding_height;
  pool.padding_width = window.padding_width;
  return pool;
}

MapCopy Lowering::map_copy(const Shape &map, bool from_storage) const {
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

// ---- Operands ---------------------------------------------------------------------------------

View Lowering::read_map(const Operand &operand) { return copied(operand, true); }

View Lowering::read_plain(const Operand &operand) { return copied(operand, false); }

View Lowering::copied(const Operand &operand, bool to_map) {
  if (!operand || shape(operand.value).size() != 4 || is_map(operand.value) == to_map) {
    return read(operand);
  }
  const Shape &s = shape(operand.value);
  const size_t size =
      to_map ? bytes(operand.value) : static_cast<size_t>(element_count(s)) * sizeof(float);
  return converted(
      operand, to_map, size, to_map ? "import" : "export",
      [&](const View &source, const View &made) {
        run([=, copy = map_copy(s, to_map), narrow = bf16_, address = addresses()](const Gpu &gpu) {
          const int64_t count = copy.batch * copy.pixels * copy.channels;
          const Kernels &k = gpu.kernels();
          const auto launch = [&](const auto &kernel) {
            gpu.launch_over(kernel, count, address(source), address(made), copy);
          };
          if (!narrow) {
            launch(k.copy_f32_to_f32);
          } else {
            to_map ? launch(k.copy_f32_to_bf16) : launch(k.copy_bf16_to_f32);
          }
        });
      });
}

CudaStorage *Lowering::storage(const Operand &operand) const {
  return operand ? static_cast<CudaStorage *>(fused().graph.value(operand.value).storage.get())
                 : nullptr;
}

// ---- Steps ------------------------------------------------------------------------------------

Step &Lowering::begin(const Operation &o, const std::string &operation, ValueId shaped) {
  std::string name = operation;
  if (shaped != no_value) {
    name = format("%d %s %s", o.index, operation.c_str(), to_string(shape(shaped)).c_str());
  }
  return begin_step(operation, name);
}

Step &Lowering::begin(const Operation &o) {
  ValueId made = no_value;
  for (const ValueId output : o.outputs) made = made == no_value ? output : made;
  return begin(o, name_of(o), made);
}

View Lowering::write(ValueId value) {
  if (value == no_value) return {};
  maps_[at(value)] = shape(value).size() == 4;
  return write(value, bytes(value));
}

View Lowering::write_plain(ValueId value) {
  if (value == no_value) return {};
  return write(value, static_cast<size_t>(element_count(shape(value))) * sizeof(float));
}

View Lowering::write_over(ValueId value, const Operand &operand) {
  if (value == no_value) return {};
  const bool as_map = shape(value).size() == 4;
  const View made = is_map(operand.value) == as_map ? overwrite(value, operand) : View{};
  if (!made) return write(value);
  maps_[at(value)] = as_map;
  return made;
}

View Lowering::constant(size_t size, std::function<std::string()> content) {
  const View place = forever(size);
  program_.constants_.push_back({place, std::move(content)});
  return place;
}

void Lowering::scratch(int64_t size) {
  if (size > 0) program_.schedule_.reserve_scratch(static_cast<size_t>(size));
}

void Lowering::pass_again(const View &view, int times) {
  for (int i = 0; i < times; i++) program_.schedule_.use(view);
}

void Lowering::run(std::function<void(const Gpu &)> body, int launches) {
  program_.schedule_.current().launches = launches;
  program_.schedule_.current().body = [program = &program_, body = std::move(body)] {
    body(program->gpu());
  };
  end_step();
}

void Lowering::prepare(const char *name, std::function<void(const Gpu &)> body) {
  Step step;
  step.operation = step.name = name;
  step.body = [program = &program_, body = std::move(body)] { body(program->gpu()); };
  program_.preparation_.push_back(std::move(step));
}

void Lowering::depends_on(CudaStorage *storage) {
  if (storage) program_.prepared_.push_back(storage);
}

void Lowering::changes(uint32_t phase, CudaStorage *storage) {
  if (storage) program_.changed_.push_back({phase, storage});
}

void Lowering::add_chunks(Chunks &list, const Repack &r) const {
  const int64_t total = r.rows * r.pixels * r.channels;
  for (int64_t begin = 0; begin < total; begin += update_chunk) {
    list.push_back([=, address = addresses()] {
      RepackChunk chunk{};
      chunk.source = reinterpret_cast<const void *>(address(r.source));
      chunk.target = reinterpret_cast<void *>(address(r.target));
      chunk.factor = reinterpret_cast<const float *>(address(r.factor));
      chunk.begin = begin;
      chunk.count = std::min<int64_t>(update_chunk, total - begin);
      chunk.pixels = static_cast<int>(r.pixels);
      chunk.source_rows = static_cast<int>(r.source_rows);
      chunk.source_channels = static_cast<int>(r.source_channels);
      chunk.target_channels = static_cast<int>(r.channels);
      chunk.from_bf16 = r.from_bf16;
      chunk.to_bf16 = r.to_bf16;
      return chunk;
    });
  }
}

View Lowering::chunk_list(const Chunks &chunks) {
  return constant(chunks.size() * sizeof(RepackChunk), [chunks] {
    std::string content;
    for (const auto &make : chunks) {
      const RepackChunk chunk = make();
      content.append(reinterpret_cast<const char *>(&chunk), sizeof chunk);
    }
    return content;
  });
}

}  // namespace gapcam::cuda
