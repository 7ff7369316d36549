// Recording of backward passes.
#include "autodiff.h"
#include "recorder.h"

namespace gapcam {

namespace {

std::vector<ValueId> differentiate(Recorder &recorder, gapcam_handle output,
                                   gapcam_handle output_gradient, const gapcam_handle *targets,
                                   int32_t count) {
  Graph &graph = recorder.graph();
  const ValueId from = recorder.use(output, "output");
  recorder.check(graph.value(from).producer >= 0, "its output must be made by the program",
                 GAPCAM_INVALID_ARGUMENT);
  const ValueId given = recorder.use_optional(output_gradient, "output gradient");
  if (output_gradient) {
    recorder.expect_shape(given, recorder.shape(from), "output gradient");
  } else {
    recorder.check(element_count(recorder.shape(from)) == 1,
                   "an output of several elements needs an output gradient");
  }
  std::vector<ValueId> values;
  for (int32_t i = 0; i < count; i++) {
    const ValueId target = recorder.use(targets[i], "target");
    for (const ValueId other : values) {
      recorder.check(other != target, "a target is given twice", GAPCAM_INVALID_ARGUMENT);
    }
    values.push_back(target);
  }
  const Backward backward(graph, from, given, values);
  for (const ValueId gradient : backward.gradients()) {
    recorder.check(gradient != no_value, "a target does not influence the output",
                   GAPCAM_INVALID_ARGUMENT);
    graph.value(gradient).readable = true;
  }
  return backward.gradients();
}

}  // namespace
}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_backward(gapcam_handle program, gapcam_handle output,
                                gapcam_handle output_gradient, const gapcam_handle *targets,
                                int32_t count, gapcam_handle *gradients, char *message) {
  return guard(message, [&] {
    Recorder recorder(program, "backward");
    recorder.check(!recorder.graph().has_phase(GAPCAM_BACKWARD),
                   "the program has a backward pass already", GAPCAM_INVALID_ARGUMENT);
    recorder.check(count >= 1, "it needs at least one target", GAPCAM_INVALID_ARGUMENT);
    not_null(targets, "targets");
    not_null(gradients, "gradients");
    // A refusal leaves the program as it was.
    const auto undo = recorder.checkpoint();
    std::vector<ValueId> made;
    try {
      made = differentiate(recorder, output, output_gradient, targets, count);
    } catch (...) {
      undo();
      throw;
    }
    for (size_t i = 0; i < made.size(); i++) gradients[i] = recorder.handle_of(made[i]);
  });
}

}  // extern "C"
