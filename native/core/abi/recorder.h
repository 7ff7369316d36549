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
  void check_slope(float slope);

  // Size of a convolution's or a pool's output along one direction.
  int64_t window_count(int64_t size, int64_t kernel, int stride, int padding,
                       const char *direction);

  // Appends an operation; gives the handle of what it makes.
  gapcam_handle finish(Operation operation, Shape output);

  ValueId add_value(Value value);

  // A function that takes back whatever has been recorded since.
  std::function<void()> checkpoint();

  // A handle for a value that the program owns.
  gapcam_handle handle_of(ValueId id);

 private:
  std::shared_ptr<ProgramObject> program_;
  // Kept until the lock is given back: they may have lost their handles meanwhile.
  std::vector<std::shared_ptr<TensorObject>> used_;
  std::unique_lock<std::mutex> lock_;
  const char *operation_;
};

}  // namespace gapcam
