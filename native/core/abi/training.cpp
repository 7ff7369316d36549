// Recording of backward passes and optimiser steps.
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

void record_update(gapcam_handle program, Optimiser kind, int32_t count,
                   const gapcam_handle *parameters, const gapcam_handle *gradients,
                   const gapcam_handle *first, const gapcam_handle *second,
                   gapcam_handle settings) {
  const bool adam = kind == Optimiser::adam;
  Recorder recorder(program, adam ? "adam" : "sgd");
  recorder.check(count >= 1, "it needs at least one parameter", GAPCAM_INVALID_ARGUMENT);
  not_null(parameters, "parameters");
  not_null(gradients, "gradients");
  not_null(first, "moments");
  if (adam) not_null(second, "second_moments");
  Operation update;
  update.phase = GAPCAM_UPDATE;
  update.attributes = Update{kind};
  const auto use = [&](gapcam_handle handle, const char *what, Role role, const Shape &shape) {
    const ValueId value = recorder.use(handle, what);
    recorder.expect_shape(value, shape, what);
    update.inputs.push_back({value, role});
    return value;
  };
  use(settings, "settings", Role::state, {GAPCAM_ADAM_SETTINGS});
  for (int32_t i = 0; i < count; i++) {
    const ValueId parameter = recorder.use(parameters[i], "parameter");
    update.inputs.push_back({parameter, Role::state});
    const Shape shape = recorder.shape(parameter);
    const ValueId gradient = use(gradients[i], "gradient", Role::gradient, shape);
    const int producer = recorder.graph().value(gradient).producer;
    recorder.check(
        producer >= 0 && recorder.graph().value(gradient).readable &&
            recorder.graph().operations[static_cast<size_t>(producer)].phase == GAPCAM_BACKWARD,
        "a gradient was not made by the program's backward pass", GAPCAM_INVALID_ARGUMENT);
    use(first[i], "moment", Role::state, shape);
    if (adam) use(second[i], "second moment", Role::state, shape);
  }
  recorder.append(std::move(update));
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

int32_t gapcam_program_adam(gapcam_handle program, int32_t count, const gapcam_handle *parameters,
                            const gapcam_handle *gradients, const gapcam_handle *first_moments,
                            const gapcam_handle *second_moments, gapcam_handle settings,
                            char *message) {
  return guard(message, [&] {
    record_update(program, Optimiser::adam, count, parameters, gradients, first_moments,
                  second_moments, settings);
  });
}

int32_t gapcam_program_sgd(gapcam_handle program, int32_t count, const gapcam_handle *parameters,
                           const gapcam_handle *gradients, const gapcam_handle *momentum_buffers,
                           gapcam_handle settings, char *message) {
  return guard(message, [&] {
    record_update(program, Optimiser::sgd, count, parameters, gradients, momentum_buffers, nullptr,
                  settings);
  });
}

}  // extern "C"
