#include "plan_timer.h"

#include <algorithm>
#include <limits>

#include "depthwise.h"
#include "error.h"

namespace gapcam::cuda {

namespace {

constexpr int timed_runs = 3;

size_t bytes_of(int64_t elements, cudnn::DataType type) {
  return static_cast<size_t>(elements) * (type == cudnn::data_bfloat16 ? 2 : 4);
}

double time_plan(const std::shared_ptr<Gpu> &gpu, const GraphRequest &wanted,
                 const GraphRequest &request, const Plan &plan) {
  const char *purpose = "timing convolutions";
  const int64_t x_elements = request.batch * request.inputs * request.height * request.width;
  const int64_t y_elements =
      request.batch * request.outputs * request.output_height * request.output_width;
  const Block x(gpu, bytes_of(x_elements, request.type), purpose);
  const Block y(gpu, bytes_of(y_elements, request.type), purpose);
  const Block w(gpu, bytes_of(request.weight_elements(), cudnn::data_float), purpose);
  const Block bias(gpu, bytes_of(request.outputs, cudnn::data_float), purpose);
  const bool forward = request.kind == GraphKind::forward;
  const Block made(gpu, bytes_of(forward || !wanted.activates() ? 1 : x_elements, request.type),
                   purpose);
  const Block added(gpu,
                    bytes_of(!wanted.adds ? 1
                             : forward    ? y_elements
                                          : x_elements,
                             request.type),
                    purpose);
  const Block workspace(gpu, static_cast<size_t>(plan.workspace), purpose);
  for (const Block *block : {&x, &y, &w, &bias, &made, &added}) {
    gpu->check(gpu->driver().cuMemsetD8Async(block->address(), 0, block->bytes(), gpu->stream()),
               "fill memory");
  }
  const bool filter = request.kind == GraphKind::backward_filter;
  const Depthwise depthwise(request, request.outputs);
  const Block partial(gpu, request.own && filter ? depthwise.partial_bytes() : 1, purpose);
  const auto run_own = [&] {
    const driver::Pointer other = request.adds ? added.address() : 0;
    if (filter) {
      depthwise.backward_filter(*gpu, x.address(), y.address(), partial.address(), w.address());
    } else if (forward) {
      depthwise.forward(*gpu, x.address(), w.address(), request.bias ? bias.address() : 0, other,
                        y.address());
    } else {
      depthwise.backward_data(*gpu, y.address(), w.address(), other,
                              request.activates() ? made.address() : 0, x.address());
    }
  };
  const auto pointer = [](const Block &block) { return reinterpret_cast<void *>(block.address()); };
  std::vector<int64_t> ids = {id_x, id_w, id_y};
  std::vector<void *> pointers = {pointer(x), pointer(w), pointer(y)};
  if (request.bias) {
    ids.push_back(id_bias);
    pointers.push_back(pointer(bias));
  }
  if (request.adds) {
    ids.push_back(id_added);
    pointers.push_back(pointer(added));
  }
  if (!forward && request.activates()) {
    ids.push_back(id_made);
    pointers.push_back(pointer(made));
  }
  const bool bf16 = request.type == cudnn::data_bfloat16;
  const int64_t lanes = bf16 ? bf16_lanes : f32_lanes;
  const Kernels &k = gpu->kernels();
  // The kernel that completes a graph that is not fused.
  const auto complete = [&] {
    if (!wanted.fused() || request.fused()) return;
    if (forward) {
      const Activation &act = wanted.activation;
      const auto run = [&](const auto &kernel) {
        const int64_t positions = y_elements / request.outputs;
        const SumShape blocks(positions, request.outputs, lanes, 0);
        gpu->launch(kernel, blocks.blocks, blocks.map_slices, y.address(), bias.address(),
                    wanted.adds ? added.address() : 0, y.address(), positions, request.outputs,
                    blocks.columns, act.kind, act.a, act.b);
      };
      bf16 ? run(k.epilogue_bf16) : run(k.epilogue_f32);
    } else {
      const auto run = [&](const auto &kernel) {
        gpu->launch_over(kernel, x_elements / lanes, x.address(), wanted.adds ? added.address() : 0,
                         wanted.activates() ? made.address() : 0, x.address(), x_elements / lanes,
                         wanted.activation.slope());
      };
      bf16 ? run(k.gradient_epilogue_bf16) : run(k.gradient_epilogue_f32);
    }
  };
  const OwnedEvent start(gpu, true), end(gpu, true);
  float taken = 0.0f;
  for (int i = 0; i <= timed_runs; i++) {
    if (i == 1) start.record(gpu->stream());
    if (request.own) {
      run_own();
      continue;
    }
    const cudnn::Status status =
        execute(gpu->libraries(), gpu->cudnn(), plan, ids, pointers, pointer(workspace));
    // A plan that its engine cannot run after all; a GPU that failed shows when it is waited for.
    if (status != 0) {
      gpu->synchronise("time convolutions");
      return std::numeric_limits<double>::infinity();
    }
    complete();
  }
  end.record(gpu->stream());
  end.wait();
  gpu->check(gpu->driver().cuEventElapsedTime(&taken, start.get(), end.get()), "time convolutions");
  return static_cast<double>(taken) / timed_runs;
}

}  // namespace

Planner::Timer plan_timer(std::shared_ptr<Gpu> gpu) {
  // Weak: the planner outlives nothing, but its owner also owns the GPU.
  return [weak = std::weak_ptr<Gpu>(gpu)](const GraphRequest &wanted, const GraphRequest &request,
                                          const Plan &plan) {
    try {
      return time_plan(weak.lock(), wanted, request, plan);
    } catch (const Error &error) {
      if (error.status() != GAPCAM_OUT_OF_MEMORY) throw;
      return std::numeric_limits<double>::infinity();
    }
  };
}

}  // namespace gapcam::cuda
