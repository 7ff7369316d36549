// Recording of backward passes and optimiser steps.
#include "recorder.h"

namespace gapcam {

namespace {

// Marks what backward passes through; see Operation.
void mark_gradients(Recorder &recorder, Graph &graph, ValueId output) {
  std::vector<bool> wanted(graph.values.size(), false);
  for (const ValueId target : graph.backward.targets) wanted[static_cast<size_t>(target)] = true;
  for (const Operation &operation : graph.operations) {
    for (const ValueId input : operation.inputs) {
      if (input != no_value && wanted[static_cast<size_t>(input)]) {
        wanted[static_cast<size_t>(operation.output)] = true;
      }
    }
  }
  std::vector<bool> reached(graph.values.size(), false);
  std::vector<int> consumers(graph.values.size(), 0);
  reached[static_cast<size_t>(output)] = true;
  for (size_t i = graph.operations.size(); i-- > 0;) {
    Operation &operation = graph.operations[i];
    const auto made = static_cast<size_t>(operation.output);
    if (!reached[made] || !wanted[made]) continue;
    operation.differentiated = true;
    for (size_t j = 0; j < operation.inputs.size(); j++) {
      if (operation.inputs[j] == no_value) continue;
      const auto input = static_cast<size_t>(operation.inputs[j]);
      if (!wanted[input]) continue;
      recorder.check(++consumers[input] == 1,
                     format("a tensor that needs a gradient is used by two operations, the second "
                            "being %s; gradients are not summed over uses",
                            to_string(operation.kind)),
                     GAPCAM_UNSUPPORTED);
      operation.needs_gradient[j] = true;
      reached[input] = true;
    }
  }
  for (const ValueId target : graph.backward.targets) {
    recorder.check(reached[static_cast<size_t>(target)], "a target does not influence the output",
                   GAPCAM_INVALID_ARGUMENT);
  }
}

// Gradients are only defined for these inputs.
bool differentiable(const Operation &operation, size_t input) {
  switch (operation.kind) {
    case OperationKind::prepare_images:
    case OperationKind::spatial_sum:
      return false;
    case OperationKind::batch_norm2d:
      return input < 3;
    case OperationKind::cross_entropy:
      return input == 0;
    default:
      return true;
  }
}

void record_update(gapcam_handle program, UpdateKind kind, const char *name, int32_t count,
                   const gapcam_handle *parameters, const gapcam_handle *gradients,
                   const gapcam_handle *first, const gapcam_handle *second,
                   gapcam_handle settings) {
  Recorder recorder(program, name);
  recorder.check(count >= 1, "it needs at least one parameter", GAPCAM_INVALID_ARGUMENT);
  not_null(parameters, "parameters");
  not_null(gradients, "gradients");
  not_null(first, "moments");
  if (kind == UpdateKind::adam) not_null(second, "second_moments");
  Update update;
  update.kind = kind;
  update.settings = recorder.use(settings, "settings");
  recorder.expect_shape(update.settings, {8}, "settings");
  const auto &known = recorder.graph().backward.gradients;
  for (int32_t i = 0; i < count; i++) {
    const ValueId parameter = recorder.use(parameters[i], "parameter");
    const ValueId gradient = recorder.use(gradients[i], "gradient");
    bool found = false;
    for (const ValueId one : known) found = found || one == gradient;
    recorder.check(found, "a gradient was not made by the program's backward pass",
                   GAPCAM_INVALID_ARGUMENT);
    const Shape shape = recorder.shape(parameter);
    recorder.expect_shape(gradient, shape, "gradient");
    update.parameters.push_back(parameter);
    update.gradients.push_back(gradient);
    update.first_moments.push_back(recorder.use(first[i], "moment"));
    recorder.expect_shape(update.first_moments.back(), shape, "moment");
    if (kind == UpdateKind::adam) {
      update.second_moments.push_back(recorder.use(second[i], "second moment"));
      recorder.expect_shape(update.second_moments.back(), shape, "second moment");
    }
  }
  recorder.graph().updates.push_back(std::move(update));
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
    Graph &graph = recorder.graph();
    recorder.check(!graph.backward.recorded, "the program has a backward pass already",
                   GAPCAM_INVALID_ARGUMENT);
    recorder.check(count >= 1, "it needs at least one target", GAPCAM_INVALID_ARGUMENT);
    not_null(targets, "targets");
    not_null(gradients, "gradients");
    // A refusal leaves the program as it was.
    const auto undo = recorder.checkpoint();
    try {
      graph.backward.output = recorder.use(output, "output");
      recorder.check(graph.value(graph.backward.output).producer >= 0,
                     "its output must be made by the program", GAPCAM_INVALID_ARGUMENT);
      graph.backward.output_gradient = recorder.use_optional(output_gradient, "output gradient");
      if (output_gradient) {
        recorder.expect_shape(graph.backward.output_gradient, recorder.shape(graph.backward.output),
                              "output gradient");
      } else {
        recorder.check(element_count(recorder.shape(graph.backward.output)) == 1,
                       "an output of several elements needs an output gradient");
      }
      for (int32_t i = 0; i < count; i++) {
        const ValueId target = recorder.use(targets[i], "target");
        recorder.check(graph.value(target).storage != nullptr,
                       "a target must be a tensor of the device", GAPCAM_INVALID_ARGUMENT);
        for (const ValueId other : graph.backward.targets) {
          recorder.check(other != target, "a target is given twice", GAPCAM_INVALID_ARGUMENT);
        }
        graph.backward.targets.push_back(target);
      }
      mark_gradients(recorder, graph, graph.backward.output);
      for (const Operation &operation : graph.operations) {
        for (size_t i = 0; i < operation.inputs.size(); i++) {
          recorder.check(!operation.needs_gradient[i] || differentiable(operation, i),
                         format("%s has no gradient with respect to its input %zu",
                                to_string(operation.kind), i),
                         GAPCAM_UNSUPPORTED);
        }
      }
      for (const ValueId target : graph.backward.targets) {
        Value value;
        value.shape = graph.shape(target);
        value.readable = true;
        graph.backward.gradients.push_back(recorder.add_value(std::move(value)));
      }
      graph.backward.recorded = true;
    } catch (...) {
      undo();
      throw;
    }
    for (int32_t i = 0; i < count; i++) {
      gradients[i] = recorder.handle_of(graph.backward.gradients[static_cast<size_t>(i)]);
    }
  });
}

int32_t gapcam_program_adam(gapcam_handle program, int32_t count, const gapcam_handle *parameters,
                            const gapcam_handle *gradients, const gapcam_handle *first_moments,
                            const gapcam_handle *second_moments, gapcam_handle settings,
                            char *message) {
  return guard(message, [&] {
    record_update(program, UpdateKind::adam, "adam", count, parameters, gradients, first_moments,
                  second_moments, settings);
  });
}

int32_t gapcam_program_sgd(gapcam_handle program, int32_t count, const gapcam_handle *parameters,
                           const gapcam_handle *gradients, const gapcam_handle *momentum_buffers,
                           gapcam_handle settings, char *message) {
  return guard(message, [&] {
    record_update(program, UpdateKind::sgd, "sgd", count, parameters, gradients, momentum_buffers,
                  nullptr, settings);
  });
}

}  // extern "C"
