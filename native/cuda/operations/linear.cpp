#include "../lowering.h"

namespace gapcam::cuda {

// Row-major y [rows, columns] = a * b, where `transpose` says which of a and b lies transposed.
// cuBLAS is column-major: it computes y^T = b^T * a^T.
void multiply(const Gpu &gpu, const MatrixProduct &p, driver::Pointer a, driver::Pointer b,
              driver::Pointer y) {
  const float one = 1.0f, zero = 0.0f;
  const auto number = [](int64_t value) { return static_cast<int32_t>(value); };
  gpu.check_cublas(gpu.libraries().cublas.cublasSgemm_v2(
                       gpu.cublas(), p.transpose_b ? cublas::transposed : cublas::as_stored,
                       p.transpose_a ? cublas::transposed : cublas::as_stored, number(p.columns),
                       number(p.rows), number(p.inner), &one, reinterpret_cast<const float *>(b),
                       number(p.transpose_b ? p.inner : p.columns),
                       reinterpret_cast<const float *>(a), number(p.transpose_a ? p.rows : p.inner),
                       &zero, reinterpret_cast<float *>(y), number(p.columns)),
                   "multiply matrices");
}

void lower(Lowering &l, const Operation &o, const Linear &) {
  const int64_t batch = l.shape(o.inputs[0].value)[0], inputs = l.shape(o.inputs[0].value)[1],
                outputs = l.shape(o.outputs[0])[1];
  const View input = l.read(o.inputs[0]), weight = l.read(o.inputs[1]), bias = l.read(o.inputs[2]);
  Step &step = l.begin(o);
  step.algorithm = "cuBLAS";
  step.flops = 2.0 * static_cast<double>(batch * inputs * outputs);
  const View output = l.write(o.outputs[0]);
  l.run(
      [=, address = l.addresses()](const Gpu &gpu) {
        multiply(gpu, {batch, outputs, inputs, false, true}, address(input), address(weight),
                 address(output));
        if (bias) {
          gpu.launch_over(gpu.kernels().add_bias, batch * outputs, address(output), address(bias),
                          batch * outputs, outputs);
        }
      },
      bias ? 2 : 1);
}

void lower(Lowering &l, const Operation &o, const LinearBackward &) {
  const int64_t batch = l.shape(o.inputs[1].value)[0], inputs = l.shape(o.inputs[1].value)[1],
                outputs = l.shape(o.inputs[0].value)[1];
  const View d_output = l.read(o.inputs[0]), input = l.read(o.inputs[1]),
             weight = l.read(o.inputs[2]);
  Step &step = l.begin(o);
  step.algorithm = "cuBLAS";
  step.flops = 4.0 * static_cast<double>(batch * inputs * outputs);
  const View d_input = l.write(o.outputs[0]), d_weight = l.write(o.outputs[1]),
             d_bias = l.write(o.outputs[2]);
  l.run(
      [=, address = l.addresses()](const Gpu &gpu) {
        if (d_weight) {
          multiply(gpu, {outputs, inputs, batch, true, false}, address(d_output), address(input),
                   address(d_weight));
        }
        if (d_bias) {
          gpu.launch_over(gpu.kernels().sum_rows_f32, outputs, address(d_output), address(d_bias),
                          batch, outputs);
        }
        if (d_input) {
          multiply(gpu, {batch, inputs, outputs, false, false}, address(d_output), address(weight),
                   address(d_input));
        }
      },
      (d_weight ? 1 : 0) + (d_bias ? 1 : 0) + (d_input ? 1 : 0));
}

}  // namespace gapcam::cuda
