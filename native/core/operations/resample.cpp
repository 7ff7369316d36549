#include "abi/recorder.h"

using namespace gapcam;

extern "C" {

int32_t gapcam_program_resample(gapcam_handle program, gapcam_handle input, gapcam_handle rows,
                                gapcam_handle columns, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "resample");
    const ValueId x = recorder.use(input, "input"), r = recorder.use(rows, "rows");
    const ValueId c = recorder.use(columns, "columns");
    recorder.expect_rank(x, 4, "input");
    recorder.expect_rank(r, 2, "rows");
    recorder.expect_rank(c, 2, "columns");
    const Shape in = recorder.shape(x);
    const int64_t height = recorder.shape(r)[0], width = recorder.shape(c)[1];
    recorder.expect_shape(r, {height, in[2]}, "rows");
    recorder.expect_shape(c, {in[3], width}, "columns");
    *output =
        recorder.finish(Resample{}, {{x, Role::map}, {r, Role::parameter}, {c, Role::parameter}},
                        {in[0], in[1], height, width});
  });
}

}  // extern "C"
