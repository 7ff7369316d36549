#include "abi/recorder.h"

namespace gapcam {

namespace {

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
