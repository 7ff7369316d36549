#include "abi/recorder.h"

namespace gapcam {

namespace {

// Any tensor of the right shape may be a gradient, of the device or of the program.
ValueId use_gradient(Recorder &recorder, gapcam_handle handle, Operation &operation) {
  const ValueId gradient = recorder.use(handle, "gradient");
  operation.inputs.push_back({gradient, Role::gradient});
  return gradient;
}

struct UpdateLists {
  const gapcam_handle *parameters, *gradients, *first, *second;
};

void record_update(gapcam_handle program, UpdateKind kind, int32_t count, const UpdateLists &lists,
                   gapcam_handle factor, gapcam_handle settings) {
  const bool adam = kind == UpdateKind::adam, blend = kind == UpdateKind::blend;
  Recorder recorder(program, adam ? "adam" : blend ? "blend" : "sgd");
  recorder.check(count >= 1, "it needs at least one parameter", GAPCAM_INVALID_ARGUMENT);
  not_null(lists.parameters, blend ? "targets" : "parameters");
  not_null(lists.gradients, blend ? "sources" : "gradients");
  if (!blend) not_null(lists.first, "moments");
  if (adam) not_null(lists.second, "second_moments");
  Operation update;
  update.phase = GAPCAM_UPDATE;
  update.attributes = Update{kind};
  const auto state = [&](gapcam_handle handle, const char *what, const Shape &shape) {
    const ValueId value = recorder.use(handle, what);
    recorder.expect_shape(value, shape, what);
    update.inputs.push_back({value, Role::state});
  };
  static_assert(static_cast<int>(GAPCAM_ADAM_SETTINGS) == static_cast<int>(GAPCAM_SGD_SETTINGS));
  const int64_t slots = blend ? int64_t{GAPCAM_BLEND_SETTINGS} : int64_t{GAPCAM_ADAM_SETTINGS};
  state(settings, "settings", {slots});
  const ValueId scale = recorder.use_optional(factor, "factor");
  recorder.expect_shape(scale, {1}, "factor");
  update.inputs.push_back({scale, Role::gradient});
  for (int32_t i = 0; i < count; i++) {
    const ValueId parameter = recorder.use(lists.parameters[i], blend ? "target" : "parameter");
    update.inputs.push_back({parameter, Role::state});
    const Shape shape = recorder.shape(parameter);
    recorder.expect_shape(use_gradient(recorder, lists.gradients[i], update), shape,
                          blend ? "source" : "gradient");
    if (!blend) state(lists.first[i], "moment", shape);
    if (adam) state(lists.second[i], "second moment", shape);
  }
  recorder.append(std::move(update));
}

void record_norm(gapcam_handle program, int32_t count, const gapcam_handle *gradients,
                 float max_norm, gapcam_handle *norm, gapcam_handle *factor) {
  not_null(norm, "norm");
  not_null(factor, "factor");
  Recorder recorder(program, "gradient_norm");
  recorder.check(count >= 1, "it needs at least one gradient", GAPCAM_INVALID_ARGUMENT);
  not_null(gradients, "gradients");
  recorder.check(max_norm > 0.0f, format("its norm must be above 0, found %g", max_norm),
                 GAPCAM_INVALID_ARGUMENT);
  Operation operation;
  operation.phase = GAPCAM_UPDATE;
  operation.attributes = GradientNorm{max_norm};
  for (int32_t i = 0; i < count; i++) use_gradient(recorder, gradients[i], operation);
  Value made;
  made.shape = {1};
  made.readable = true;
  made.producer = static_cast<int>(recorder.graph().operations.size());
  for (int i = 0; i < 2; i++) operation.outputs.push_back(recorder.add_value(made));
  const std::vector<ValueId> outputs = operation.outputs;
  recorder.append(std::move(operation));
  *norm = recorder.handle_of(outputs[0]);
  *factor = recorder.handle_of(outputs[1]);
}

}  // namespace

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_gradient_norm(gapcam_handle program, int32_t count,
                                     const gapcam_handle *gradients, float max_norm,
                                     gapcam_handle *norm, gapcam_handle *factor, char *message) {
  return guard(message, [&] { record_norm(program, count, gradients, max_norm, norm, factor); });
}

int32_t gapcam_program_blend(gapcam_handle program, int32_t count, const gapcam_handle *targets,
                             const gapcam_handle *sources, gapcam_handle settings, char *message) {
  return guard(message, [&] {
    record_update(program, UpdateKind::blend, count, {targets, sources, nullptr, nullptr}, 0,
                  settings);
  });
}

int32_t gapcam_program_adam(gapcam_handle program, int32_t count, const gapcam_handle *parameters,
                            const gapcam_handle *gradients, const gapcam_handle *first_moments,
                            const gapcam_handle *second_moments, gapcam_handle factor,
                            gapcam_handle settings, char *message) {
  return guard(message, [&] {
    record_update(program, UpdateKind::adam, count,
                  {parameters, gradients, first_moments, second_moments}, factor, settings);
  });
}

int32_t gapcam_program_sgd(gapcam_handle program, int32_t count, const gapcam_handle *parameters,
                           const gapcam_handle *gradients, const gapcam_handle *momentum_buffers,
                           gapcam_handle factor, gapcam_handle settings, char *message) {
  return guard(message, [&] {
    record_update(program, UpdateKind::sgd, count,
                  {parameters, gradients, momentum_buffers, nullptr}, factor, settings);
  });
}

}  // extern "C"
