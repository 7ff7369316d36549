#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

// Back to where they were: a shuffle too, of as many groups as there were channels in each.
void gradient(Backward &b, const Operation &o, const ChannelShuffle &shuffle) {
  const ValueId d_input = b.make_gradient(o.inputs[0]);
  const int64_t channels = b.graph().shape(o.outputs[0])[1];
  b.append(o, ChannelShuffle{channels / shuffle.groups}, {b.gradient_of(o.outputs[0])}, {d_input});
  b.add(o, o.inputs[0], d_input);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_channel_shuffle(gapcam_handle program, gapcam_handle input, int32_t groups,
                                       gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "channel_shuffle");
    const ValueId x = recorder.use(input, "input");
    recorder.expect_rank(x, 4, "input");
    const Shape shape = recorder.shape(x);
    recorder.check(groups >= 1 && shape[1] % groups == 0,
                   format("its groups must divide the input's %lld channels, found %d",
                          static_cast<long long>(shape[1]), groups),
                   GAPCAM_INVALID_ARGUMENT);
    *output = recorder.finish(ChannelShuffle{groups}, {{x, Role::map}}, shape);
  });
}

}  // extern "C"
