#include "graph_lowering.h"

namespace gapcam {

GraphLowering::GraphLowering(FusedGraph fused, Schedule &schedule)
    : fused_(std::move(fused)), schedule_(schedule), views_(fused_.graph.values.size()) {
  for (size_t i = 0; i < views_.size(); i++) {
    views_[i].storage = fused_.graph.values[i].storage.get();
  }
}

View GraphLowering::use(const View &view) {
  if (begun_) {
    schedule_.use(view);
  } else if (view) {
    pending_.push_back(view);
  }
  return view;
}

View GraphLowering::read(const Operand &operand) {
  if (!operand) return {};
  const View &view = view_of(operand.value);
  if (!view) throw Error(GAPCAM_INTERNAL, "A value is read before it is made");
  return use(view);
}

Step &GraphLowering::begin_step(const std::string &operation, const std::string &name) {
  Step &step = schedule_.begin(current().phase, operation, name);
  for (const View &view : pending_) schedule_.use(view);
  pending_.clear();
  begun_ = true;
  return step;
}

View GraphLowering::write(ValueId value, size_t bytes) {
  if (value == no_value) return temporary(bytes);
  View &view = views_[static_cast<size_t>(value)];
  const Place place = place_of(value);
  if (place.whole != no_value) {
    view = wholes_.at(place.whole);
    view.offset = place.offset;
    view.bytes = bytes;
  } else {
    view = is_whole(value) ? wholes_.at(value) : schedule_.make(bytes);
  }
  if (fused_.kept(value)) schedule_.keep(view);
  return use(view);
}

void GraphLowering::make_within(ValueId value, size_t offset, ValueId whole, size_t whole_bytes) {
  if (!is_whole(whole)) wholes_[whole] = schedule_.make(whole_bytes);
  places_[value] = {whole, offset};
}

View GraphLowering::overwrite(ValueId value, const Operand &operand) {
  if (shares_memory(value) || shares_memory(operand.value)) return {};
  const View from = view_of(operand.value);
  const Operation *maker = fused_.maker(operand.value);
  // What an earlier phase made is still there when this one runs again.
  const int last_reader = fused_.last_reader[static_cast<size_t>(operand.value)];
  const bool free = from.buffer >= 0 && maker && !fused_.kept(operand.value) &&
                    last_reader == static_cast<int>(current_) && maker->phase == current().phase;
  if (!free) return {};
  views_[static_cast<size_t>(value)] = from;
  if (fused_.kept(value)) schedule_.keep(from);
  return use(from);
}

}  // namespace gapcam
