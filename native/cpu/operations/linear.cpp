#include "../lowering.h"

namespace gapcam::cpu {

void lower(Lowering &l, const Operation &o, const Linear &) {
  const int64_t batch = l.shape(o.inputs[0].value)[0], inputs = l.shape(o.inputs[0].value)[1],
                outputs = l.shape(o.outputs[0])[1];
  const View input = l.read(o.inputs[0]), weight = l.read_plain(o.inputs[1]),
             bias = l.read_plain(o.inputs[2]);
  l.begin(o).flops = 2.0 * static_cast<double>(batch * inputs * outputs);
  const View output = l.write(o.outputs[0]);
  l.run([=, &m = l.memory()] {
    kernels().linear(batch, inputs, outputs, m.f32(input), m.f32(weight), m.f32(bias),
                     m.f32(output));
  });
}

void lower(Lowering &l, const Operation &o, const LinearBackward &) {
  const int64_t batch = l.shape(o.inputs[1].value)[0], inputs = l.shape(o.inputs[1].value)[1],
                outputs = l.shape(o.inputs[0].value)[1];
  const View d_output = l.read(o.inputs[0]), input = l.read(o.inputs[1]),
             weight = l.read_plain(o.inputs[2]);
  l.begin(o).flops = 4.0 * static_cast<double>(batch * inputs * outputs);
  const View d_input = l.write(o.outputs[0]), d_weight = l.write(o.outputs[1]),
             d_bias = l.write(o.outputs[2]);
  l.run([=, &m = l.memory()] {
    if (d_weight || d_bias) {
      kernels().linear_backward_filter(batch, inputs, outputs, m.f32(input), m.f32(d_output),
                                       m.f32(d_weight), m.f32(d_bias));
    }
    if (d_input) {
      kernels().linear_backward_data(batch, inputs, outputs, m.f32(d_output), m.f32(weight),
                                     m.f32(d_input));
    }
  });
}

}  // namespace gapcam::cpu
