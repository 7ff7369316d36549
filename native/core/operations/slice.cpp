#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

// What was left out has the gradient 0.
void gradient(Backward &b, const Operation &o, const Slice &slice) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  b.append(o, SliceBackward{slice.first}, {b.gradient_of(o.outputs[0])}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_slice_channels(gapcam_handle program, gapcam_handle input, int64_t start,
                                      int64_t end, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "slice_channels");
    const ValueId x = recorder.use(input, "input");
    recorder.expect_rank(x, 4, "input");
    Shape shape = recorder.shape(x);
    recorder.check(start >= 0 && start < end && end <= shape[1],
                   format("it must begin at 0 or later and end behind that, at most at the input's "
                          "%lld channels, found %lld to %lld",
                          static_cast<long long>(shape[1]), static_cast<long long>(start),
                          static_cast<long long>(end)),
                   GAPCAM_INVALID_ARGUMENT);
    shape[1] = end - start;
    *output = recorder.finish(Slice{start}, {{x, Role::map}}, shape);
  });
}

}  // extern "C"
