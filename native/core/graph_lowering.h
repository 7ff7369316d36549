// From a graph to steps, as far as it is the same for every backend: where each value lies, what a
// step reads and what it makes. How operands lie within their memory is the backend's.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fusion.h"
#include "schedule.h"

namespace gapcam {

class GraphLowering {
 public:
  // Where a value of the graph lies.
  const View &view_of(ValueId value) const { return views_[static_cast<size_t>(value)]; }

  // For the operations. A step asks for what it reads, then begins, then asks for what it writes.

  const FusedGraph &fused() const { return fused_; }
  bool training() const { return fused_.graph.training; }
  const Shape &shape(ValueId value) const { return fused_.graph.shape(value); }

  // An operand as it lies; empty if it is absent.
  View read(const Operand &operand);

  // Memory for a value that the step makes; of this step alone for no_value.
  View write(ValueId value, size_t bytes);
  // Memory of this step alone.
  View temporary(size_t bytes) { return use(schedule_.make(bytes)); }

 protected:
  // Appends the steps to `schedule`.
  GraphLowering(FusedGraph fused, Schedule &schedule);

  // Calls `lower` with every operation and its attributes, in order.
  template <class Lower>
  void lower_each(const Lower &lower) {
    for (const Operation &o : fused_.graph.operations) {
      begun_ = false;
      std::visit([&](const auto &attributes) { lower(o, attributes); }, o.attributes);
      if (!pending_.empty()) {
        throw Error(GAPCAM_INTERNAL, "An operation asks for a value that no step of it uses");
      }
      current_++;
    }
  }

  // The operation being lowered, and its step.
  const Operation &current() const { return fused_.graph.operations[current_]; }
  Step &begin_step(const std::string &operation, const std::string &name);
  // What is asked for from now on belongs to the step that begins next, of the same operation.
  void end_step() { begun_ = false; }

  // Lets a value be made within the memory of another, `offset` bytes from its begin, and never
  // overwrite or be overwritten. `whole` is no part itself.
  void make_within(ValueId value, size_t offset, ValueId whole, size_t whole_bytes);
  bool is_whole(ValueId value) const { return wholes_.count(value) > 0; }
  // Where a value lies by make_within(); `whole` is no_value if it does not.
  struct Place {
    ValueId whole = no_value;
    size_t offset = 0;
  };
  Place place_of(ValueId value) const {
    const auto found = places_.find(value);
    return found == places_.end() ? Place{} : found->second;
  }

  // Whether other values lie in the memory of this one, or it in that of another.
  bool shares_memory(ValueId value) const {
    return is_whole(value) || place_of(value).whole != no_value;
  }

  // Memory for a value in that of an operand, if nobody needs the operand afterwards; else empty.
  // The backend says whether the two lie alike.
  View overwrite(ValueId value, const Operand &operand);

  // An operand in another form, which a step of its own makes the first time that it is asked for:
  // `run` gives it a body. `form` tells the forms of a value apart.
  template <class Run>
  View converted(const Operand &operand, int64_t form, size_t bytes, const std::string &operation,
                 const Run &run) {
    View &view = converted_[{operand.value, form}];
    if (!view) {
      view = schedule_.make(bytes);
      const View source = view_of(operand.value), made = view;
      schedule_.begin(current().phase, operation,
                      operation + " " + to_string(shape(operand.value)));
      schedule_.use(source);
      schedule_.use(made);
      run(source, made);
    }
    return use(view);
  }

  // Notes that the operation's step reads or writes this.
  View use(const View &view);

 private:
  FusedGraph fused_;
  Schedule &schedule_;
  std::vector<View> views_;                                // by value
  std::map<ValueId, Place> places_;                        // of what lies within another
  std::map<ValueId, View> wholes_;                         // memory of what others lie in
  std::map<std::pair<ValueId, int64_t>, View> converted_;  // by value and form
  std::vector<View> pending_;                              // read by the step that begins next
  bool begun_ = false;                                     // whether the operation's step has
  size_t current_ = 0;                                     // index of current()
};

}  // namespace gapcam
