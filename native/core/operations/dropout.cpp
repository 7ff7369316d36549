#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

// The same factors again: they are a function of the settings and of the element.
void gradient(Backward &b, const Operation &o, const Dropout &dropout) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  b.append(o, dropout, {b.gradient_of(o.outputs[0]), o.inputs[1]}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_dropout(gapcam_handle program, gapcam_handle input, gapcam_handle settings,
                               float probability, int32_t whole_images, gapcam_handle *output,
                               char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "dropout");
    const Operand x{recorder.use(input, "input"), Role::map},
        random{recorder.use(settings, "settings", DataType::i32), Role::state};
    recorder.expect_shape(random.value, {GAPCAM_DROPOUT_SETTINGS}, "settings");
    recorder.check(probability >= 0.0f && probability <= 1.0f,
                   format("its probability must be between 0 and 1, found %g", probability),
                   GAPCAM_INVALID_ARGUMENT);
    Dropout dropout;
    const double kept = 1.0 - static_cast<double>(probability);
    dropout.threshold =
        static_cast<unsigned long long>(static_cast<double>(probability) * 4294967296.0);
    dropout.scale = kept > 0.0 ? static_cast<float>(1.0 / kept) : 0.0f;
    dropout.whole_images = whole_images != 0;
    for (const Operation &other : recorder.graph().operations) {
      dropout.layer += other.phase == GAPCAM_FORWARD && other.as<Dropout>();
    }
    *output = recorder.finish(dropout, {x, random}, recorder.shape(x.value));
  });
}

}  // extern "C"
