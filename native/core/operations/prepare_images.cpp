#include <cmath>

#include "abi/recorder.h"

using namespace gapcam;

extern "C" {

int32_t gapcam_program_prepare_images(gapcam_handle program, gapcam_handle images, int64_t height,
                                      int64_t width, const float *mean, const float *deviation,
                                      gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "prepare_images");
    const ValueId input = recorder.use(images, "image batch", DataType::u8);
    recorder.expect_rank(input, 4, "image batch");
    recorder.check(height >= 1 && width >= 1 && height <= 65536 && width <= 65536,
                   format("the size must be between 1 and 65536, found %lld x %lld",
                          static_cast<long long>(height), static_cast<long long>(width)),
                   GAPCAM_INVALID_ARGUMENT);
    const Shape shape = recorder.shape(input);
    const auto channels = static_cast<size_t>(shape[3]);
    PrepareImages prepare;
    prepare.mean.assign(not_null(mean, "mean"), mean + channels);
    prepare.deviation.assign(not_null(deviation, "deviation"), deviation + channels);
    for (const float one : prepare.deviation) {
      recorder.check(one > 0.0f && std::isfinite(one), "a deviation must be above 0",
                     GAPCAM_INVALID_ARGUMENT);
    }
    *output = recorder.finish(std::move(prepare), {{input, Role::images}},
                              {shape[0], shape[3], height, width});
  });
}

}  // extern "C"
