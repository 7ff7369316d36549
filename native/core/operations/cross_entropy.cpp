#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const CrossEntropy &loss) {
  const Operand &logits = o.inputs[0], &labels = o.inputs[1];
  const ValueId d_logits = b.make_gradient(logits);
  b.append(o, CrossEntropyBackward{loss.label_smoothing},
           {b.gradient_of(o.outputs[0]), logits, labels}, {d_logits});
  b.add(o, logits, d_logits);
}

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_cross_entropy(gapcam_handle program, gapcam_handle logits,
                                     gapcam_handle labels, float label_smoothing,
                                     gapcam_handle metrics, gapcam_handle *loss, char *message) {
  return guard(message, [&] {
    not_null(loss, "loss");
    Recorder recorder(program, "cross_entropy");
    const Operand x{recorder.use(logits, "logits"), Role::map},
        y{recorder.use(labels, "labels", DataType::i32), Role::labels},
        counts{recorder.use_optional(metrics, "metrics"), Role::metrics};
    recorder.expect_rank(x.value, 2, "logits");
    recorder.expect_shape(y.value, {recorder.shape(x.value)[0]}, "labels");
    recorder.expect_shape(counts.value, {GAPCAM_METRIC_SLOTS}, "metrics");
    recorder.check(label_smoothing >= 0.0f && label_smoothing <= 1.0f,
                   format("label smoothing must be between 0 and 1, found %g", label_smoothing),
                   GAPCAM_INVALID_ARGUMENT);
    *loss = recorder.finish(CrossEntropy{label_smoothing}, {x, y, counts}, {1});
    recorder.graph().values.back().readable = true;
  });
}

}  // extern "C"
