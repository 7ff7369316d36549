import type { Device } from "../device/device.ts";
import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { placeWeights } from "../cam/prove_place.ts";
import { elementCount } from "../host_tensor.ts";

/**
 * What the device makes of a layer's values A and their gradients g, of channels k
 * and places p. `values`: the gradients themselves. All others are one map:
 *
 * - `products`: the sum over k of `A_k(p) g_k(p)`.
 * - `positive-products`: that of `A_k(p) ReLU(g_k(p))`.
 * - `channel-means`: that of `a_k A_k(p)`, where `a_k` is the mean of `g_k`.
 * - `channel-ratios`: `a_k` is the sum of `A_k g_k` over the sum of `A_k`, 0 where
 *   that is 0.
 * - `channel-orders`: `a_k` is the sum of `ReLU(g) / (2 + g S)`, where S is the sum
 *   of `A_k`; 0 where that divides by 0.
 */
export type DeviceMapKind =
  | "values"
  | "products"
  | "positive-products"
  | "channel-means"
  | "channel-ratios"
  | "channel-orders";

/** What the device made, and the sum that proves its places. */
export interface DeviceMap {
  /** [N, 1, height, width]; of `values` [N, K, height, width]. */
  readonly wanted: Tensor;
  /** [N, 1]: the sum over channels and places, each place with its weight. */
  readonly witness: Tensor;
}

/** Where operations are recorded; `stack` owns the tensors that are made. */
export interface RecordingPlace {
  readonly device: Device;
  readonly program: Program;
  readonly stack: DisposableStack;
}

/**
 * Records what is made of a layer behind the backward pass, so that a map is all
 * that need be read.
 *
 * @param value What the layer makes, [N, K, height, width].
 * @param gradient The gradient by each of its values.
 */
export function recordDeviceMap(
  value: Tensor,
  gradient: Tensor,
  { kind, at }: { kind: DeviceMapKind; at: RecordingPlace },
): DeviceMap {
  const { device, program, stack } = at;
  const [, channels, height, width] = value.shape as Shape;
  const wanted = kind === "values"
    ? gradient
    : program.output(sumChannels(made(value, gradient, { kind, at }), at));
  const sum = kind === "values" ? sumChannels(gradient, at) : wanted;
  const weights = stack.use(
    device.tensor([height, width], { data: placeWeights(height, width) }),
  );
  const witness = program.output(program.spatialSum(sum, weights));
  return { wanted, witness };

  function sumChannels(map: Tensor, at: RecordingPlace): Tensor {
    return program.conv2d(map, constant([1, channels, 1, 1], 1, at));
  }
}

type Shape = [number, number, number, number];

/** What is summed over channels. */
function made(
  value: Tensor,
  gradient: Tensor,
  { kind, at }: { kind: Exclude<DeviceMapKind, "values">; at: RecordingPlace },
): Tensor {
  const { program } = at;
  const mean = (map: Tensor) =>
    program.globalAveragePool(map, { keepDimensions: true });
  const [count, channels, height, width] = value.shape as Shape;
  const area = (factor: number) =>
    constant([count, channels, 1, 1], factor * height * width, at);
  switch (kind) {
    case "products":
      return program.multiply(value, gradient);
    case "positive-products":
      return program.multiply(value, program.leakyRelu(gradient, 0));
    case "channel-means":
      return program.multiply(value, mean(gradient));
    case "channel-ratios": {
      const products = mean(program.multiply(value, gradient));
      return program.multiply(value, program.divide(products, mean(value)));
    }
    case "channel-orders": {
      const total = program.multiply(mean(value), area(1));
      const denominators = program.add(
        program.multiply(gradient, total),
        constant(value.shape, 2, at),
      );
      const orders = program.divide(
        program.leakyRelu(gradient, 0),
        denominators,
      );
      return program.multiply(value, program.multiply(mean(orders), area(1)));
    }
  }
}

function constant(
  shape: readonly number[],
  value: number,
  { device, stack }: RecordingPlace,
): Tensor {
  const data = new Float32Array(elementCount(shape)).fill(value);
  return stack.use(device.tensor(shape, { data }));
}
