import { parametersOf } from "../../src/nn/parameters.ts";
import {
  batchNorm2d,
  conv2d,
  globalAveragePool,
  type Layer,
  leakyRelu,
  linear,
  maxPool2d,
  sequential,
} from "../../mod.ts";
import type { StateDict } from "../../src/host_tensor.ts";
import { fillUniform, images, labels } from "./_hashed.ts";

/** What the small networks take. */
export const SMALL_IMAGE = { height: 12, width: 12, channels: 3 };

/** Images a batch. */
export const SMALL_BATCH_SIZE = 6;

/** The network of scripts/fixtures/nn_small.py. */
export function smallModel(options: { batchNorm: boolean }): Layer {
  const { batchNorm } = options;
  return sequential({
    features: sequential([
      conv2d(3, 8, { padding: 1, bias: !batchNorm }),
      ...batchNorm ? [batchNorm2d(8, { epsilon: 1e-3, momentum: 0.2 })] : [],
      leakyRelu(0.2),
      maxPool2d(2),
      conv2d(8, 12, { kernelSize: [3, 5], stride: [1, 2], padding: [0, 2] }),
      ...batchNorm ? [batchNorm2d(12)] : [],
      leakyRelu(0.2),
    ]),
    pool: globalAveragePool(),
    classifier: linear(12, 5),
  });
}

/** Its first weights. */
export function smallState(model: Layer): StateDict {
  let index = 0;
  return new Map(
    parametersOf(model).map(({ name, shape, trainable, initialValue }) => {
      const data = new Float32Array(shape.reduce((length, d) => length * d, 1));
      if (!trainable) data.fill(initialValue);
      else {
        const fanIn = data.length / shape[0]!;
        const bound = shape.length > 1 ? 1.5 / Math.sqrt(fanIn) : 0.3;
        fillUniform(data, 1000 + index++, bound);
        if (initialValue !== 0) {
          data.forEach((value, i) => data[i] = value + initialValue);
        }
      }
      return [name, { shape, data }];
    }),
  );
}

/** One of its batches. */
export function smallBatch(
  step: number,
): { images: Uint8Array; labels: Int32Array } {
  const { height, width, channels } = SMALL_IMAGE;
  return {
    images: images(
      SMALL_BATCH_SIZE * height * width * channels,
      2000 + step,
    ),
    labels: labels(SMALL_BATCH_SIZE, 5, 3000 + step),
  };
}
