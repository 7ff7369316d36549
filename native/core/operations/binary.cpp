#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

// Of a sum, both summands' gradients are that of the sum; of a product, that times the other one.
void gradient(Backward &b, const Operation &o, const Binary &binary) {
  const Operand d_output = b.gradient_of(o.outputs[0]);
  if (binary.kind == GAPCAM_DIVIDE) {
    throw Error(GAPCAM_UNSUPPORTED, "Cannot add backward: divide has no gradient");
  }
  for (size_t i = 0; i < 2; i++) {
    const Operand &input = o.inputs[i], &other = o.inputs[1 - i];
    if (binary.kind == GAPCAM_ADD) {
      b.add(o, input, d_output.value);
    } else if (b.wants(input)) {
      const ValueId d_input = b.make_gradient(input);
      const bool whole = b.graph().shape(input.value) == b.graph().shape(o.outputs[0]);
      b.append(o, whole ? Attributes{binary} : GateGradient{}, {d_output, other}, {d_input});
      b.add(o, input, d_input);
    }
  }
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_binary(gapcam_handle program, int32_t kind, gapcam_handle first,
                              gapcam_handle second, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    const bool product = kind == GAPCAM_MULTIPLY;
    const bool quotient = kind == GAPCAM_DIVIDE;
    Recorder recorder(program, product ? "multiply" : quotient ? "divide" : "add");
    recorder.check(product || quotient || kind == GAPCAM_ADD,
                   format("its kind must be 0 (add), 1 (multiply) or 2 (divide), found %d", kind),
                   GAPCAM_INVALID_ARGUMENT);
    const ValueId one = recorder.use(first, "first input"),
                  two = recorder.use(second, "second input");
    const Shape shape = recorder.shape(one);
    const Shape gate = shape.size() == 4 ? Shape{shape[0], shape[1], 1, 1} : shape;
    if (product && gate != shape && recorder.shape(two) != shape) {
      recorder.check(recorder.shape(two) == gate,
                     format("its second input must have the shape %s or %s, found %s",
                            gapcam::to_string(shape).c_str(), gapcam::to_string(gate).c_str(),
                            gapcam::to_string(recorder.shape(two)).c_str()));
    } else {
      recorder.expect_shape(two, shape, "second input");
    }
    *output = recorder.finish(Binary{static_cast<gapcam_binary>(kind)},
                              {{one, Role::map}, {two, Role::map}}, shape);
  });
}

}  // extern "C"
