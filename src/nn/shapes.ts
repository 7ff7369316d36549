import { GapcamError } from "../error.ts";
import { flatten, type Layer, type NamedLayer } from "./layers.ts";

/** A layer and the shape of what it makes, without the batch. */
export interface ShapedLayer extends NamedLayer {
  /** [channels, height, width], or [features] after global average pooling. */
  readonly outputShape: readonly number[];
}

/**
 * Follows an image through a model.
 *
 * @param model Any layer.
 * @param inputShape [channels, height, width] of an image.
 * @returns Each layer and the shape of its output.
 * @throws {GapcamError} If a layer does not fit what comes before it, or the
 * image is too small for the pools.
 *
 * @example The last map of the seed network
 * ```ts
 * import { shapesOf, vgg } from "@gapcam/gapcam";
 *
 * const layers = shapesOf(vgg("vgg16", { classes: 10 }), [3, 224, 224]);
 * const last = layers.find(({ name }) => name === "features.30");
 * if (last?.outputShape.join() !== "512,7,7") throw new Error();
 * ```
 */
export function shapesOf(
  model: Layer,
  inputShape: readonly [number, number, number],
): ShapedLayer[] {
  for (const size of inputShape) {
    if (Number.isSafeInteger(size) && size >= 1) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot follow an image of shape [${inputShape.join(", ")}]: ` +
        "expected three positive whole numbers",
    );
  }
  const layers = flatten(model);
  let shape: readonly number[] = inputShape;
  return layers.map(({ name, layer }) => {
    shape = outputShape(name, layer, shape, () => tooSmall(layers, inputShape));
    return { name, layer, outputShape: shape };
  });
}

function tooSmall(
  layers: readonly NamedLayer[],
  [, height, width]: readonly [number, number, number],
): string {
  const pools = layers.filter(({ layer }) => layer.kind === "maxPool2d");
  return `an image of ${height} x ${width} is too small for the model's ` +
    `${pools.length} pools; use at least ${leastSize(layers, 0)} x ${
      leastSize(layers, 1)
    }`;
}

/** The least height (0) or width (1) of an image that leaves a pixel everywhere. */
function leastSize(layers: readonly NamedLayer[], direction: 0 | 1): number {
  return layers.reduceRight((needed, { layer }) => {
    if (layer.kind !== "conv2d" && layer.kind !== "maxPool2d") return needed;
    const size = (needed - 1) * layer.stride[direction] +
      layer.kernelSize[direction] - 2 * layer.padding[direction];
    return Math.max(size, 1);
  }, 1);
}

function outputShape(
  name: string,
  layer: NamedLayer["layer"],
  shape: readonly number[],
  tooSmall: () => string,
): readonly number[] {
  const [channels, height, width] = shape;
  function expect(condition: boolean, needed: string): void {
    if (condition) return;
    throw new GapcamError(
      "shape-mismatch",
      `Cannot build layer ${name || layer.kind} (${layer.kind}): it takes ` +
        `${needed}, found [${shape.join(", ")}]`,
    );
  }
  switch (layer.kind) {
    case "conv2d":
    case "maxPool2d": {
      expect(shape.length === 3, "[channels, height, width]");
      if (layer.kind === "conv2d") {
        expect(
          channels === layer.inputChannels,
          `${layer.inputChannels} channels`,
        );
      }
      const rows = windows(height!, layer, 0);
      const columns = windows(width!, layer, 1);
      if (rows < 1 || columns < 1) {
        throw new GapcamError(
          "shape-mismatch",
          `Cannot build layer ${
            name || layer.kind
          } (${layer.kind}): ${tooSmall()}`,
        );
      }
      return [
        layer.kind === "conv2d" ? layer.outputChannels : channels!,
        rows,
        columns,
      ];
    }
    case "batchNorm2d":
      expect(
        shape.length === 3 && channels === layer.channels,
        `${layer.channels} channels`,
      );
      return shape;
    case "globalAveragePool":
      expect(shape.length === 3, "[channels, height, width]");
      return [channels!];
    case "linear":
      expect(
        shape.length === 1 && channels === layer.inputFeatures,
        `${layer.inputFeatures} features`,
      );
      return [layer.outputFeatures];
    case "leakyRelu":
      return shape;
  }
}

function windows(
  size: number,
  layer: {
    kernelSize: readonly [number, number];
    stride: readonly [number, number];
    padding: readonly [number, number];
  },
  direction: 0 | 1,
): number {
  const padded = size + 2 * layer.padding[direction];
  return Math.floor(
    (padded - layer.kernelSize[direction]) / layer.stride[direction],
  ) + 1;
}
