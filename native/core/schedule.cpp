#include "schedule.h"

#include <algorithm>

#include "error.h"
#include "gapcam.h"
#include "json.h"

namespace gapcam {

namespace {

const char *phase_name(uint32_t phase) {
  return phase == GAPCAM_FORWARD ? "forward" : phase == GAPCAM_BACKWARD ? "backward" : "update";
}

}  // namespace

Step &Schedule::begin(uint32_t phase, const std::string &operation, const std::string &name) {
  steps_.emplace_back();
  Step &step = steps_.back();
  step.phase = phase;
  step.operation = operation;
  step.name = name;
  return step;
}

View Schedule::make(size_t bytes) {
  Buffer buffer;
  buffer.bytes = bytes;
  buffers_.push_back(buffer);
  View view;
  view.buffer = static_cast<int>(buffers_.size()) - 1;
  return view;
}

View Schedule::make_forever(size_t bytes) {
  const View view = make(bytes);
  keep(view);
  return view;
}

void Schedule::keep(const View &view) {
  if (view.buffer >= 0) buffer(view).forever = true;
}

void Schedule::use(const View &view) {
  if (view.buffer < 0) return;
  Buffer &used = buffer(view);
  const int now = static_cast<int>(steps_.size()) - 1;
  if (used.first < 0) used.first = now;
  used.last = now;
  (current().phase == GAPCAM_FORWARD ? used.forward : used.backward) = true;
  current().bytes += static_cast<double>(view.bytes > 0 ? view.bytes : used.bytes);
}

void Schedule::reserve_scratch(size_t bytes) { scratch_bytes_ = std::max(scratch_bytes_, bytes); }

void Schedule::place() {
  if (scratch_bytes_ > 0) scratch_ = make_forever(scratch_bytes_);
  const int end = static_cast<int>(steps_.size());
  std::vector<Buffer *> order;
  for (Buffer &buffer : buffers_) {
    if (buffer.forever) {
      buffer.first = 0;
      buffer.last = end;
    } else if (buffer.forward && buffer.backward) {
      // Backward may run again, on what the same forward left.
      buffer.last = end;
    }
    buffer.bytes = (buffer.bytes + alignment_ - 1) / alignment_ * alignment_;
    order.push_back(&buffer);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Buffer *a, const Buffer *b) { return a->bytes > b->bytes; });
  std::vector<Buffer *> placed;  // by offset
  for (Buffer *buffer : order) {
    size_t offset = 0;
    for (const Buffer *other : placed) {
      if (other->last < buffer->first || buffer->last < other->first) continue;
      if (offset + buffer->bytes <= other->offset) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    buffer->offset = offset;
    bytes_ = std::max(bytes_, offset + buffer->bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), buffer,
                         [](const Buffer *a, const Buffer *b) { return a->offset < b->offset; }),
        buffer);
  }
}

std::string Schedule::describe() const {
  std::string json = "[";
  for (const Step &step : steps_) {
    json += format(
        "%s{\"phase\": \"%s\", \"operation\": %s, \"name\": %s, \"algorithm\": %s, "
        "\"flops\": %.0f, \"bytes\": %.0f, \"launches\": %d, \"runs\": %llu, \"milliseconds\": "
        "%.6f}",
        &step == steps_.data() ? "" : ", ", phase_name(step.phase), quoted(step.operation).c_str(),
        quoted(step.name).c_str(), quoted(step.algorithm).c_str(), step.flops, step.bytes,
        step.launches, static_cast<unsigned long long>(step.runs), step.milliseconds);
  }
  return json + "]";
}

}  // namespace gapcam
