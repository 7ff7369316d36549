#include "abi/recorder.h"
#include "autodiff.h"

namespace gapcam {

void gradient(Backward &b, const Operation &o, const Loss &loss) {
  const Operand &logits = o.inputs[0];
  const ValueId d_logits = b.make_gradient(logits);
  b.append(o, LossBackward{loss},
           {b.gradient_of(o.outputs[0]),
            logits,
            o.inputs[1],
            o.inputs[2],
            o.inputs[3],
            {o.outputs[1], Role::saved}},
           {d_logits});
  b.add(o, logits, d_logits);
}

namespace {

void record_loss(Recorder &recorder, int32_t kind, float label_smoothing,
                 const std::vector<gapcam_handle> &handles, gapcam_handle *loss) {
  recorder.check(kind == GAPCAM_CROSS_ENTROPY || kind == GAPCAM_BINARY_CROSS_ENTROPY,
                 format("its kind must be 0 or 1, found %d", kind), GAPCAM_INVALID_ARGUMENT);
  const bool binary = kind == GAPCAM_BINARY_CROSS_ENTROPY;
  const Operand x{recorder.use(handles[0], "logits"), Role::map},
      labels{handles[1] ? recorder.use(handles[1], "labels", DataType::i32) : no_value,
             Role::labels},
      targets{recorder.use_optional(handles[2], "targets"), Role::labels},
      weights{recorder.use_optional(handles[3], "weights"), Role::labels},
      metrics{recorder.use_optional(handles[4], "metrics"), Role::metrics};
  recorder.expect_rank(x.value, 2, "logits");
  const Shape shape = recorder.shape(x.value);
  recorder.check(
      binary ? targets && !labels : !targets != !labels,
      binary ? "it takes targets, and no labels" : "it takes either labels or targets, not both",
      GAPCAM_INVALID_ARGUMENT);
  recorder.expect_shape(labels.value, {shape[0]}, "labels");
  recorder.expect_shape(targets.value, shape, "targets");
  recorder.expect_shape(weights.value, {shape[1]}, "weights");
  recorder.expect_shape(metrics.value, {GAPCAM_METRIC_SLOTS}, "metrics");
  recorder.check(label_smoothing >= 0.0f && label_smoothing <= 1.0f,
                 format("label smoothing must be between 0 and 1, found %g", label_smoothing),
                 GAPCAM_INVALID_ARGUMENT);
  Value divisor;
  divisor.shape = {1};
  const ValueId made = recorder.append(Loss{{static_cast<gapcam_loss>(kind), label_smoothing}},
                                       {x, labels, targets, weights, metrics}, {1}, {divisor});
  recorder.graph().recorded++;
  recorder.graph().value(made).readable = true;
  *loss = recorder.handle_of(made);
}

}  // namespace

}  // namespace gapcam

using namespace gapcam;

extern "C" {

int32_t gapcam_program_loss(gapcam_handle program, int32_t kind, gapcam_handle logits,
                            gapcam_handle labels, gapcam_handle targets, gapcam_handle weights,
                            float label_smoothing, gapcam_handle metrics, gapcam_handle *loss,
                            char *message) {
  return guard(message, [&] {
    not_null(loss, "loss");
    Recorder recorder(
        program, kind == GAPCAM_BINARY_CROSS_ENTROPY ? "binary_cross_entropy" : "cross_entropy");
    record_loss(recorder, kind, label_smoothing, {logits, labels, targets, weights, metrics}, loss);
  });
}

}  // extern "C"
