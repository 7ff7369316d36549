#include "abi/recorder.h"

using namespace gapcam;

extern "C" {

int32_t gapcam_program_spatial_sum(gapcam_handle program, gapcam_handle input,
                                   gapcam_handle weights, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "spatial_sum");
    const ValueId x = recorder.use(input, "input"), w = recorder.use(weights, "weights");
    recorder.expect_rank(x, 4, "input");
    const Shape in = recorder.shape(x);
    recorder.expect_shape(w, {in[2], in[3]}, "weights");
    *output = recorder.finish(SpatialSum{}, {{x, Role::map}, {w, Role::parameter}}, {in[0], in[1]});
  });
}

}  // extern "C"
