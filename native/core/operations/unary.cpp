#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const Unary &unary) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  const Operand known = unary.activation.differentiates_from_output()
                            ? Operand{o.outputs[0], Role::map}
                            : o.inputs[0];
  b.append(o, UnaryBackward{unary.activation}, {b.gradient_of(o.outputs[0]), known}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_unary(gapcam_handle program, gapcam_handle input, int32_t activation,
                             float a, float b, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, name_of_activation(activation));
    const ValueId x = recorder.use(input, "input");
    const Shape shape = recorder.shape(x);
    *output =
        recorder.finish(Unary{recorder.activation(activation, a, b)}, {{x, Role::map}}, shape);
  });
}

}  // extern "C"
