import type { Device } from "../device/device.ts";
import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { placeWeights } from "../cam/prove_place.ts";
import { elementCount } from "../host_tensor.ts";

/**
 * What of a layer's gradient is wanted. `values`: all of it, a gradient for each
 * value. `channel-means`: the layer's channels summed, each weighed by the mean of
 * its gradient. `products`: the layer times its gradient, summed over channels.
 */
export type ProbeKind = "values" | "channel-means" | "products";

/** Something put into a program whose gradients are what is wanted of a layer. */
export interface Probe {
  /** What the layers behind read: the same numbers. */
  readonly value: Tensor;
  /** The gradient with respect to it is what is wanted. */
  readonly wanted: Tensor;
  /**
   * The gradient with respect to it, [N, 1, 1, 1], is the sum of what is wanted
   * over channels and places, each place with its weight: computed by the device.
   */
  readonly witness: Tensor;
}

/**
 * Puts a probe behind a value. Sums of products over channels or places are
 * gradients themselves, of fields that change nothing: so the device computes
 * them, and a map is all that need be read.
 *
 * With a field s of ones, one number a place, `v_k(p) s(p)` is `v`, and the
 * gradient by `s(p)` is `sum over k of v_k(p) g_k(p)`. With s of zeros, `v_k(p) +
 * mean over q of v_k(q) s(q)` is `v` too, and there the gradient by `s(q)` is
 * `sum over k of v_k(q) mean over p of g_k(p)`.
 *
 * @param value [N, K, height, width].
 * @param at Where it is recorded; `stack` owns the tensors that are made.
 */
export function addProbe(
  value: Tensor,
  kind: ProbeKind,
  at: { device: Device; program: Program; stack: DisposableStack },
): Probe {
  const { device, program, stack } = at;
  const [count, channels, height, width] = value.shape as [
    number,
    number,
    number,
    number,
  ];
  const constant = (shape: readonly number[], one: number) =>
    stack.use(device.tensor(shape, {
      data: new Float32Array(elementCount(shape)).fill(one),
    }));
  const weights = placeWeights(height, width);
  const places = new Float32Array(count * weights.length);
  for (let i = 0; i < count; i++) places.set(weights, i * weights.length);
  const witness = constant([count, 1, 1, 1], 0);
  const weighed = program.multiply(
    stack.use(device.tensor([count, 1, height, width], { data: places })),
    witness,
  );
  const toChannels = constant([channels, 1, 1, 1], 1);
  if (kind === "values") {
    const sum = program.add(value, program.conv2d(weighed, toChannels));
    return { value: sum, wanted: value, witness };
  }
  const field = constant(
    [count, 1, height, width],
    kind === "products" ? 1 : 0,
  );
  const spread = program.conv2d(program.add(field, weighed), toChannels);
  const product = program.multiply(value, spread);
  if (kind === "products") return { value: product, wanted: field, witness };
  const mean = program.globalAveragePool(product, { keepDimensions: true });
  const everywhere = program.multiply(constant(value.shape, 1), mean);
  return { value: program.add(value, everywhere), wanted: field, witness };
}
