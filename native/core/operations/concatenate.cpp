#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

// Each input's gradient is its own part of the output's.
void gradient(Backward &b, const Operation &o, const Concatenate &) {
  int64_t first = 0;
  for (const Operand &input : o.inputs) {
    if (b.wants(input)) {
      const ValueId d_input = b.make_gradient(input);
      b.append(o, Slice{first}, {b.gradient_of(o.outputs[0])}, {d_input});
      b.add(o, input, d_input);
    }
    first += b.graph().shape(input.value)[1];
  }
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_concatenate(gapcam_handle program, const gapcam_handle *inputs,
                                   int32_t count, gapcam_handle *output, char *message) {
  return guard(message, [&] {
    not_null(output, "output");
    Recorder recorder(program, "concatenate");
    recorder.check(count >= 1, "it needs at least one input", GAPCAM_INVALID_ARGUMENT);
    not_null(inputs, "inputs");
    std::vector<Operand> maps;
    Shape shape;
    for (int32_t i = 0; i < count; i++) {
      maps.push_back({recorder.use(inputs[i], "input"), Role::map});
      recorder.expect_rank(maps.back().value, 4, "input");
      const Shape own = recorder.shape(maps.back().value);
      if (i == 0) {
        shape = own;
        continue;
      }
      recorder.check(own[0] == shape[0] && own[2] == shape[2] && own[3] == shape[3],
                     format("its inputs must agree in all but channels, found %s and %s",
                            gapcam::to_string(recorder.shape(maps[0].value)).c_str(),
                            gapcam::to_string(own).c_str()));
      shape[1] += own[1];
    }
    *output = recorder.finish(Concatenate{}, std::move(maps), shape);
  });
}

}  // extern "C"
