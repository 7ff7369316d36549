import { GapcamError } from "../error.ts";
import type { FloatMap } from "../image/float_map.ts";
import { elementCount, type HostTensor } from "../host_tensor.ts";

/**
 * The class activation map of one class, before any scaling: at each place of
 * the feature map, the sum over channels of weight times feature.
 *
 * `M_c(x, y) = sum_k w[c, k] * f_k(x, y)`, equation 2 of Zhou, Khosla, Lapedriza,
 * Oliva and Torralba, "Learning Deep Features for Discriminative Localization",
 * CVPR 2016.
 *
 * @param features What global average pooling reads for one image, [K, h, w].
 * @param weight The linear layer's weight, [C, K].
 * @param classIndex The class `c`, in `[0, C)`.
 * @returns The map, h x w.
 * @throws {GapcamError} If the shapes do not fit together, or there is no such
 * class.
 *
 * @example Two channels, of which the class wants the second
 * ```ts
 * import { rawMap } from "@gapcam/gapcam/cam";
 *
 * const features = { shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) };
 * const weight = { shape: [1, 2], data: Float32Array.of(0, 10) };
 * if (rawMap(features, weight, 0).data.join() !== "30,40") throw new Error();
 * ```
 */
export function rawMap(
  features: HostTensor,
  weight: HostTensor,
  classIndex: number,
): FloatMap {
  checkShape("features", features, 3);
  checkShape("weight", weight, 2);
  const [channels, height, width] = features.shape as [number, number, number];
  const [classes, inputs] = weight.shape as [number, number];
  if (channels !== inputs) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot map class: found weight [${weight.shape}] for features ` +
        `[${features.shape}], expected ${channels} columns`,
    );
  }
  if (
    !(Number.isInteger(classIndex) && classIndex >= 0 && classIndex < classes)
  ) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot map class: found class ${classIndex}, expected 0 to ${
        classes - 1
      }`,
    );
  }
  const area = height * width;
  // Summed in double precision: the proof's residual is then the device's.
  const sums = new Float64Array(area);
  for (let k = 0; k < channels; k++) {
    const w = weight.data[classIndex * channels + k]!;
    const plane = k * area;
    for (let i = 0; i < area; i++) {
      sums[i] = sums[i]! + w * features.data[plane + i]!;
    }
  }
  return { height, width, data: Float32Array.from(sums) };
}

function checkShape(name: string, tensor: HostTensor, rank: number): void {
  const { shape, data } = tensor;
  const count = elementCount(shape);
  if (shape.length === rank && count === data.length && count > 0) return;
  throw new GapcamError(
    "shape-mismatch",
    `Cannot map class: found ${name} [${shape}] with ${data.length} values, ` +
      `expected ${rank} dimensions and as many values as they span`,
  );
}
