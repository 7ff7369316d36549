import { conv2d } from "../../src/nn/layers/conv2d.ts";
import { globalAveragePool } from "../../src/nn/layers/global_average_pool.ts";
import { sequential } from "../../src/nn/layers/layer.ts";
import { linear } from "../../src/nn/layers/linear.ts";
import type { StateDict } from "../../src/host_tensor.ts";
import type { Image } from "../../src/image/image.ts";

/** Looks at red alone: the map of class 0 is how bright it is, of class 1 its opposite. */
export const redModel = sequential({
  features: conv2d(3, 1, { kernelSize: 1 }),
  pool: globalAveragePool(),
  classifier: linear(1, 2),
});

/** Its parameters. */
export const redState: StateDict = new Map([
  ["features.weight", { shape: [1, 3, 1, 1], data: Float32Array.of(1, 0, 0) }],
  ["features.bias", { shape: [1], data: Float32Array.of(0) }],
  ["classifier.weight", { shape: [2, 1], data: Float32Array.of(1, -1) }],
  ["classifier.bias", { shape: [2], data: Float32Array.of(0, 0) }],
]);

/** Pixels in [0, 1], as they are. */
export const redInput = { mean: [0, 0, 0], deviation: [1, 1, 1] };

/**
 * A picture whose red grows by even steps to the right and, by others, down: a
 * map that lies a pixel beside it has other values. Green and blue say nothing.
 */
export function slope(height: number, width: number): Image & { channels: 3 } {
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      data[at] = redAt(y, x, { height, width });
      data[at + 1] = (x * 37 + y * 11) % 256;
      data[at + 2] = 255 - data[at]!;
    }
  }
  return { height, width, channels: 3, data };
}

/** The red of {@linkcode slope} at a pixel. */
export function redAt(
  y: number,
  x: number,
  { height, width }: { height: number; width: number },
): number {
  const steps = [Math.floor(150 / height), Math.floor(100 / width)] as const;
  return 2 + Math.max(1, steps[0]) * y + Math.max(1, steps[1]) * x;
}
