#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const Reshape &) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  b.append(o, Reshape{}, {b.gradient_of(o.outputs[0])}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_flatten(gapcam_handle program, gapcam_handle input, gapcam_handle *output,
                               char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "flatten");
    const ValueId x = recorder.use(input, "input");
    recorder.expect_rank(x, 4, "input");
    const Shape in = recorder.shape(x);
    const int64_t features = in[1] * in[2] * in[3];
    recorder.check(features <= max_dimension,
                   format("its output would have a dimension above 2^30, found %s",
                          gapcam::to_string(in).c_str()),
                   GAPCAM_INVALID_ARGUMENT);
    *output = recorder.finish(Reshape{}, {{x, Role::map}}, {in[0], features});
  });
}

}  // extern "C"
