// Recording of operations that move values or drop them, and compute none.
#include "recorder.h"

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
