// A program being recorded, and what its operations check alike.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "guard.h"
#include "registry.h"

namespace gapcam {

class Recorder {
 public:
  Recorder(gapcam_handle program, const char *operation);

  Graph &graph() { return *program_->graph; }
  const char *operation() const { return operation_; }

  void check(bool condition, const std::string &reason,
             gapcam_status status = GAPCAM_SHAPE_MISMATCH);

  // The value that a tensor is in this program.
  ValueId use(gapcam_handle handle, const char *role, DataType type = DataType::f32);
  ValueId use_optional(gapcam_handle handle, const char *role);

  const Shape &shape(ValueId id) { return graph().shape(id); }

  // Also that each dimension is at most max_dimension.
  void expect_rank(ValueId id, size_t rank, const char *role);
  void expect_shape(ValueId id, const Shape &expected, const char *role);
  // What may follow an operation; refuses numbers that do not fit its kind.
  Activation activation(int32_t kind, float a, float b);

  // How a window moves along one direction, of padding before and after the map.
  struct Steps {
    int64_t kernel;
    int32_t stride, before, after, dilation = 1;
  };
  // Size of a convolution's or a pool's output along one direction.
  int64_t window_count(int64_t size, const Steps &steps, const char *direction);

  // Appends an operation that makes a value of a shape; gives that value. One that the backend
  // refuses is refused here. Several that the caller recorded as one share its number.
  ValueId append(Attributes attributes, std::vector<Operand> inputs, Shape output,
                 std::vector<Value> further = {});
  // Appends an operation as it is, unless it is refused.
  void append(Operation operation);
  // As append(), followed by an activation, for the last operation of one call.
  gapcam_handle finish(Attributes attributes, std::vector<Operand> inputs, Shape output,
                       std::vector<Value> further = {}, const Activation &activation = {});

  ValueId add_value(Value value);

  // A function that takes back whatever has been recorded since.
  std::function<void()> checkpoint();

  // A handle for a value that the program owns.
  gapcam_handle handle_of(ValueId id);

 private:
  // Refuses what no backend takes, and what this one does not.
  void admit(const Operation &operation);

  std::shared_ptr<ProgramObject> program_;
  // Kept until the lock is given back: they may have lost their handles meanwhile.
  std::vector<std::shared_ptr<TensorObject>> used_;
  std::unique_lock<std::mutex> lock_;
  const char *operation_;
};

}  // namespace gapcam
