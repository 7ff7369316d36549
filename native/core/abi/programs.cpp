#include "recorder.h"

using namespace gapcam;

extern "C" {

int32_t gapcam_program_create(gapcam_handle device, uint32_t flags, gapcam_handle *program,
                              char *message) {
  return guard(message, [&] {
    not_null(program, "program");
    auto object = std::make_shared<ProgramObject>();
    object->device = registry().find_device(device);
    object->graph->training = (flags & GAPCAM_PROGRAM_TRAINING) != 0;
    object->graph->profile = (flags & GAPCAM_PROGRAM_PROFILE) != 0;
    *program = registry().add(object);
  });
}

int32_t gapcam_program_destroy(gapcam_handle program, char *message) {
  return guard(message, [&] {
    if (!program) return;
    registry().remove_program(program);
  });
}

int32_t gapcam_program_compile(gapcam_handle program, char *message) {
  return guard(message, [&] {
    const auto object = registry().find_program(program);
    std::lock_guard lock(object->device->mutex);
    require(!object->executable, "Cannot compile a program twice");
    require(!object->graph->operations.empty(), "Cannot compile a program without operations");
    object->executable = object->device->device->compile(object->graph);
  });
}

int32_t gapcam_program_run(gapcam_handle program, uint32_t phases, char *message) {
  return guard(message, [&] {
    const auto object = registry().find_program(program);
    std::lock_guard lock(object->device->mutex);
    require(object->executable != nullptr, "Cannot run a program that is not compiled");
    const uint32_t all = GAPCAM_FORWARD | GAPCAM_BACKWARD | GAPCAM_UPDATE;
    require(phases != 0 && (phases & ~all) == 0,
            format("Cannot run phases %u: expected a sum of 1 (forward), 2 (backward) and 4 "
                   "(update)",
                   phases));
    require(!(phases & GAPCAM_BACKWARD) || object->graph->has_phase(GAPCAM_BACKWARD),
            "Cannot run backward: the program has no backward pass");
    require(!(phases & GAPCAM_UPDATE) || object->graph->has_phase(GAPCAM_UPDATE),
            "Cannot run an update: the program has none");
    object->executable->run(phases);
  });
}

int32_t gapcam_program_describe(gapcam_handle program, char *json, uint64_t capacity,
                                uint64_t *needed, char *message) {
  return guard(message, [&] {
    const auto object = registry().find_program(program);
    std::lock_guard lock(object->device->mutex);
    require(object->executable != nullptr, "Cannot describe a program that is not compiled");
    copy_text(object->executable->describe(), json, capacity, needed);
  });
}

int32_t gapcam_program_output(gapcam_handle program, gapcam_handle tensor, char *message) {
  return guard(message, [&] {
    Recorder recorder(program, "output");
    const ValueId value = recorder.use(tensor, "tensor");
    recorder.graph().value(value).readable = true;
  });
}

}  // extern "C"
