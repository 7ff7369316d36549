#include "executable.h"

#include <algorithm>

#include "json.h"

namespace gapcam::cuda {

namespace {

// Images in a batch, 0 if the program takes none.
int64_t batch_of(const Graph &graph) {
  for (const Operation &operation : graph.operations) {
    if (operation.inputs.empty() || !operation.inputs[0]) continue;
    const Shape &shape = graph.shape(operation.inputs[0].value);
    if (shape.size() == 4) return shape[0];
  }
  return 0;
}

}  // namespace

CudaExecutable::CudaExecutable(std::shared_ptr<const Graph> graph, std::shared_ptr<Gpu> gpu,
                               Planner &planner)
    : graph_(std::move(graph)),
      gpu_(std::move(gpu)),
      program_(*graph_, gpu_->options().precision, planner) {
  allocate();
  program_.bind(*gpu_, arena_.address());
  if (graph_->profile) {
    start_ = std::make_unique<OwnedEvent>(gpu_, true);
    end_ = std::make_unique<OwnedEvent>(gpu_, true);
  }
}

CudaExecutable::~CudaExecutable() {
  gpu_->enter_to_free();
  gpu_->driver().cuStreamSynchronize(gpu_->stream());
  for (const auto &[phases, recording] : recordings_) {
    if (recording.graph) gpu_->driver().cuGraphExecDestroy(recording.graph);
  }
}

void CudaExecutable::allocate() {
  try {
    arena_ = Block(gpu_, program_.arena_bytes(),
                   format("a program of %zu steps", program_.schedule().steps().size()));
    gpu_->reserve_conversion(program_.conversion_bytes());
  } catch (const Error &error) {
    arena_ = Block();
    const int64_t batch = batch_of(*graph_);
    if (error.status() != GAPCAM_OUT_OF_MEMORY || batch == 0) throw;
    // Nearly all of it grows with the batch; a tenth is left for what does not.
    const double fits = 0.9 * static_cast<double>(gpu_->free_bytes()) /
                        static_cast<double>(program_.arena_bytes() + program_.conversion_bytes());
    const auto advised = static_cast<int64_t>(fits * static_cast<double>(batch));
    throw Error(GAPCAM_OUT_OF_MEMORY,
                advised >= 1
                    ? format("%s; a batch size of %lld instead of %lld would fit", error.what(),
                             static_cast<long long>(std::min(advised, batch - 1)),
                             static_cast<long long>(batch))
                    : format("%s; not even a batch size of 1 would fit", error.what()));
  }
}

void CudaExecutable::run(uint32_t phases) {
  gpu_->enter();
  for (CudaStorage *one : program_.staged()) one->take_staged();
  if (phases & (GAPCAM_FORWARD | GAPCAM_BACKWARD)) {
    const uint64_t version = program_.preparation_version();
    if (version != prepared_version_) {
      for (Step &step : program_.preparation()) step.body();
      prepared_version_ = version;
    }
  }
  Recording &recording = recordings_[phases];
  if (graph_->profile) {
    run_profiled(phases);
  } else {
    const bool records = !gpu_->options().synchronous && recording.runs > 0;
    if (records && !recording.graph && recording.refusal.empty()) capture(phases, recording);
    if (recording.graph) {
      gpu_->check(gpu_->driver().cuGraphLaunch(recording.graph, gpu_->stream()),
                  "start a recorded program");
    } else {
      run_steps(phases, false);
    }
  }
  recording.runs++;
  count_runs(phases);
  program_.mark_changed(phases);
}

void CudaExecutable::run_steps(uint32_t phases, bool captured) {
  const bool wait = gpu_->options().synchronous && !captured;
  for (const Step &step : program_.schedule().steps()) {
    if (!(step.phase & phases)) continue;
    if (!wait) {
      step.body();
      continue;
    }
    try {
      step.body();
      gpu_->synchronise("finish it");
    } catch (const Error &error) {
      throw Error(error.status(),
                  format("Cannot run step %s: %s", quoted(step.name).c_str(), error.what()));
    }
  }
}

void CudaExecutable::run_profiled(uint32_t phases) {
  for (Step &step : program_.schedule().steps()) {
    if (!(step.phase & phases)) continue;
    start_->record(gpu_->stream());
    step.body();
    end_->record(gpu_->stream());
    end_->wait();
    float taken = 0.0f;
    gpu_->check(gpu_->driver().cuEventElapsedTime(&taken, start_->get(), end_->get()),
                "time a step");
    step.milliseconds += static_cast<double>(taken);
  }
}

void CudaExecutable::capture(uint32_t phases, Recording &recording) {
  const driver::Functions &driver = gpu_->driver();
  gpu_->check(driver.cuStreamBeginCapture_v2(gpu_->stream(), driver::capture_thread_local),
              "record a program");
  driver::Graph recorded = nullptr;
  try {
    run_steps(phases, true);
  } catch (const Error &error) {
    driver.cuStreamEndCapture(gpu_->stream(), &recorded);
    if (recorded) driver.cuGraphDestroy(recorded);
    recording.refusal = error.what();
    gpu_->forgive();
    return;
  }
  driver::Result result = driver.cuStreamEndCapture(gpu_->stream(), &recorded);
  if (result == driver::success) {
    result = driver.cuGraphInstantiateWithFlags(&recording.graph, recorded, 0);
    driver.cuGraphDestroy(recorded);
  }
  if (result == driver::success) return;
  recording.graph = nullptr;
  recording.refusal = "Cannot record a program: " + cuda::describe(driver, result);
}

void CudaExecutable::count_runs(uint32_t phases) {
  for (Step &step : program_.schedule().steps()) {
    if (step.phase & phases) step.runs++;
  }
}

void CudaExecutable::read(ValueId value, void *data, size_t bytes) {
  gpu_->enter();
  if (graph_->value(value).storage) return graph_->value(value).storage->read(data, bytes);
  program_.read(*gpu_, value, data, bytes);
}

std::string CudaExecutable::describe() const {
  bool recorded = false;
  std::string refusal;
  for (const auto &[phases, recording] : recordings_) {
    recorded = recorded || recording.graph;
    if (!recording.refusal.empty()) refusal = recording.refusal;
  }
  std::string json =
      format("{\"bytes\": %zu, \"recorded\": %s, ", arena_.bytes(), recorded ? "true" : "false");
  if (!refusal.empty()) json += "\"notRecorded\": " + quoted(refusal) + ", ";
  return json + "\"steps\": " + program_.schedule().describe() + "}";
}

}  // namespace gapcam::cuda
