import { GapcamError } from "../error.ts";
import type { Size2d } from "../device/program.ts";

/** 2-D convolution (cross-correlation); see {@linkcode conv2d}. */
export interface Conv2d {
  /** Tells layers apart. */
  readonly kind: "conv2d";
  /** Channels of the input. */
  readonly inputChannels: number;
  /** Channels of the output. */
  readonly outputChannels: number;
  /** Height and width of the kernel. */
  readonly kernelSize: readonly [number, number];
  /** Rows and columns from one window to the next. */
  readonly stride: readonly [number, number];
  /** Zeros added above and below, left and right. */
  readonly padding: readonly [number, number];
  /** Whether a bias is added to each channel. */
  readonly bias: boolean;
}

/** Leaky ReLU; see {@linkcode leakyRelu}. */
export interface LeakyRelu {
  /** Tells layers apart. */
  readonly kind: "leakyRelu";
  /** Factor on negative values: 0 is ReLU, 1 the identity. */
  readonly negativeSlope: number;
}

/** Batch normalisation; see {@linkcode batchNorm2d}. */
export interface BatchNorm2d {
  /** Tells layers apart. */
  readonly kind: "batchNorm2d";
  /** Channels of the input. */
  readonly channels: number;
  /** Added to the variance. */
  readonly epsilon: number;
  /** Share of a new batch in the running statistics. */
  readonly momentum: number;
}

/** Max pooling; see {@linkcode maxPool2d}. */
export interface MaxPool2d {
  /** Tells layers apart. */
  readonly kind: "maxPool2d";
  /** Height and width of a window. */
  readonly kernelSize: readonly [number, number];
  /** Rows and columns from one window to the next. */
  readonly stride: readonly [number, number];
  /** Pixels of minus infinity added on each side. */
  readonly padding: readonly [number, number];
}

/** Mean over height and width; see {@linkcode globalAveragePool}. */
export interface GlobalAveragePool {
  /** Tells layers apart. */
  readonly kind: "globalAveragePool";
}

/** Fully connected layer; see {@linkcode linear}. */
export interface Linear {
  /** Tells layers apart. */
  readonly kind: "linear";
  /** Features of the input. */
  readonly inputFeatures: number;
  /** Features of the output. */
  readonly outputFeatures: number;
  /** Whether a bias is added. */
  readonly bias: boolean;
}

/** Layers one after the other; see {@linkcode sequential}. */
export interface Sequential {
  /** Tells layers apart. */
  readonly kind: "sequential";
  /** Layers and their names, in order. */
  readonly layers: readonly (readonly [name: string, layer: Layer])[];
}

/** Any layer: plain data, which {@linkcode Network} turns into a program. */
export type Layer =
  | Conv2d
  | LeakyRelu
  | BatchNorm2d
  | MaxPool2d
  | GlobalAveragePool
  | Linear
  | Sequential;

/** A layer that holds no others, and its full name, such as `features.0`. */
export interface NamedLayer {
  /** The names on the way to the layer, joined by dots. */
  readonly name: string;
  /** The layer. */
  readonly layer: Exclude<Layer, Sequential>;
}

function pair(name: string, size: Size2d, least: number): [number, number] {
  const [height, width] = typeof size === "number" ? [size, size] : size;
  whole(name, height, least);
  whole(name, width, least);
  return [height, width];
}

function whole(name: string, value: number, least = 1): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new GapcamError(
    "invalid-argument",
    `Cannot describe a layer: ${name} is ${value}, expected a whole number ` +
      `of at least ${least}`,
  );
}

/**
 * Describes a 2-D convolution with PyTorch's defaults.
 *
 * @param inputChannels Channels of the input, from 1.
 * @param outputChannels Channels of the output, from 1.
 * @param options `kernelSize` (default 3), `stride` (1), `padding` (0), `bias` (true).
 * @returns A layer from [N, inputChannels, H, W] to [N, outputChannels, rows, columns].
 * @throws {GapcamError} If a number is not whole or too small.
 *
 * @example A strided convolution halves the map
 * ```ts
 * import { conv2d, shapesOf } from "@gapcam/gapcam";
 *
 * const layer = conv2d(3, 8, { stride: 2, padding: 1 });
 * const [shaped] = shapesOf(layer, [3, 32, 32]);
 * if (shaped?.outputShape.join() !== "8,16,16") throw new Error();
 * ```
 */
export function conv2d(
  inputChannels: number,
  outputChannels: number,
  options: {
    kernelSize?: Size2d;
    stride?: Size2d;
    padding?: Size2d;
    bias?: boolean;
  } = {},
): Conv2d {
  return {
    kind: "conv2d",
    inputChannels: whole("inputChannels", inputChannels),
    outputChannels: whole("outputChannels", outputChannels),
    kernelSize: pair("kernelSize", options.kernelSize ?? 3, 1),
    stride: pair("stride", options.stride ?? 1, 1),
    padding: pair("padding", options.padding ?? 0, 0),
    bias: options.bias ?? true,
  };
}

/**
 * Describes `max(x, 0) + negativeSlope * min(x, 0)`.
 *
 * @param negativeSlope Between 0 (ReLU) and 1 (identity). Default: 0.01, as PyTorch.
 * @returns A layer that keeps the shape.
 * @throws {GapcamError} If the slope is out of range.
 *
 * @example The seed network's slope
 * ```ts
 * import { leakyRelu } from "@gapcam/gapcam";
 *
 * if (leakyRelu(0.2).negativeSlope !== 0.2) throw new Error();
 * ```
 */
export function leakyRelu(negativeSlope = 0.01): LeakyRelu {
  if (!(negativeSlope >= 0 && negativeSlope <= 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe a leaky ReLU with slope ${negativeSlope}: ` +
        "expected a number from 0 to 1",
    );
  }
  return { kind: "leakyRelu", negativeSlope };
}

/**
 * Describes a ReLU: a leaky ReLU of slope 0.
 *
 * @returns A layer that keeps the shape.
 *
 * @example A ReLU is a leaky ReLU
 * ```ts
 * import { relu } from "@gapcam/gapcam";
 *
 * if (relu().negativeSlope !== 0) throw new Error();
 * ```
 */
export function relu(): LeakyRelu {
  return leakyRelu(0);
}

/**
 * Describes batch normalisation over N, H and W (Ioffe and Szegedy 2015), as
 * PyTorch's `BatchNorm2d` with affine parameters and running statistics.
 *
 * @param channels Channels of the input, from 1.
 * @param options `epsilon` (default 1e-5, above 0), added to the variance;
 * `momentum` (0.1, from 0 to 1), the share of a new batch in the running statistics.
 * @returns A layer that keeps the shape [N, channels, H, W].
 * @throws {GapcamError} If a number is out of range.
 *
 * @example Two parameters and two running statistics
 * ```ts
 * import { batchNorm2d, parametersOf } from "@gapcam/gapcam";
 *
 * const names = parametersOf(batchNorm2d(8)).map(({ name }) => name);
 * if (names.join() !== "weight,bias,running_mean,running_var") throw new Error();
 * ```
 */
export function batchNorm2d(
  channels: number,
  options: { epsilon?: number; momentum?: number } = {},
): BatchNorm2d {
  const { epsilon = 1e-5, momentum = 0.1 } = options;
  if (!(epsilon > 0 && momentum >= 0 && momentum <= 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe batch normalisation: epsilon is ${epsilon} and ` +
        `momentum is ${momentum}, expected above 0 and from 0 to 1`,
    );
  }
  return {
    kind: "batchNorm2d",
    channels: whole("channels", channels),
    epsilon,
    momentum,
  };
}

/**
 * Describes max pooling.
 *
 * @param kernelSize Size of a window, from 1.
 * @param options `stride` (default: the kernel size), `padding` (0, at most
 * half the kernel size).
 * @returns A layer from [N, C, H, W] to [N, C, rows, columns].
 * @throws {GapcamError} If a number is not whole, too small or too large.
 *
 * @example Windows that overlap
 * ```ts
 * import { maxPool2d, shapesOf } from "@gapcam/gapcam";
 *
 * const [shaped] = shapesOf(
 *   maxPool2d(3, { stride: 2, padding: 1 }),
 *   [8, 16, 16],
 * );
 * if (shaped?.outputShape.join() !== "8,8,8") throw new Error();
 * ```
 */
export function maxPool2d(
  kernelSize: Size2d,
  options: { stride?: Size2d; padding?: Size2d } = {},
): MaxPool2d {
  const kernel = pair("kernelSize", kernelSize, 1);
  const padding = pair("padding", options.padding ?? 0, 0);
  // Else a window could hold nothing but padding.
  if (padding.some((size, i) => 2 * size > kernel[i]!)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot describe max pooling: padding is ${padding.join(" x ")}, ` +
        `expected at most half the kernel size ${kernel.join(" x ")}`,
    );
  }
  return {
    kind: "maxPool2d",
    kernelSize: kernel,
    stride: pair("stride", options.stride ?? kernelSize, 1),
    padding,
  };
}

/**
 * Describes the mean over height and width.
 *
 * @returns A layer from [N, C, H, W] to [N, C].
 *
 * @example One number a channel
 * ```ts
 * import { globalAveragePool, shapesOf } from "@gapcam/gapcam";
 *
 * const [shaped] = shapesOf(globalAveragePool(), [8, 7, 7]);
 * if (shaped?.outputShape.join() !== "8") throw new Error();
 * ```
 */
export function globalAveragePool(): GlobalAveragePool {
  return { kind: "globalAveragePool" };
}

/**
 * Describes a fully connected layer.
 *
 * @param inputFeatures Features of the input, from 1.
 * @param outputFeatures Features of the output, from 1.
 * @param options `bias` (default: true).
 * @returns A layer from [N, inputFeatures] to [N, outputFeatures].
 * @throws {GapcamError} If a number is not whole or too small.
 *
 * @example A head for ten classes
 * ```ts
 * import { linear, parametersOf } from "@gapcam/gapcam";
 *
 * const [weight] = parametersOf(linear(512, 10));
 * if (weight?.shape.join() !== "10,512") throw new Error();
 * ```
 */
export function linear(
  inputFeatures: number,
  outputFeatures: number,
  options: { bias?: boolean } = {},
): Linear {
  return {
    kind: "linear",
    inputFeatures: whole("inputFeatures", inputFeatures),
    outputFeatures: whole("outputFeatures", outputFeatures),
    bias: options.bias ?? true,
  };
}

/**
 * Chains layers. A list names them `0`, `1`, ... as PyTorch's `Sequential`; an
 * object names them by its keys.
 *
 * @param layers Layers in order, from 1.
 * @returns One layer, which others may hold.
 * @throws {GapcamError} If there is no layer, or a name is empty or has a dot.
 *
 * @example A small classifier that ends in global average pooling
 * ```ts
 * import {
 *   conv2d, globalAveragePool, linear, parametersOf, relu, sequential,
 * } from "@gapcam/gapcam";
 *
 * const model = sequential({
 *   features: sequential([conv2d(3, 8, { padding: 1 }), relu()]),
 *   pool: globalAveragePool(),
 *   classifier: linear(8, 10),
 * });
 * const names = parametersOf(model).map((parameter) => parameter.name);
 * if (names[0] !== "features.0.weight") throw new Error(names[0]);
 * ```
 */
export function sequential(
  layers: readonly Layer[] | Readonly<Record<string, Layer>>,
): Sequential {
  const named = Array.isArray(layers)
    ? layers.map((layer, i) => [String(i), layer] as const)
    : Object.entries(layers as Record<string, Layer>);
  if (named.length === 0) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot chain layers: the list is empty",
    );
  }
  for (const [name] of named) {
    if (name === "" || name.includes(".")) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot name a layer ${JSON.stringify(name)}: ` +
          "a name is not empty and has no dot",
      );
    }
  }
  return { kind: "sequential", layers: named };
}

/**
 * Lists the layers that hold no others.
 *
 * @param model Any layer.
 * @param prefix What the names start with. Default: nothing.
 * @returns The layers in order, with their full names.
 *
 * @example The layers of a trunk
 * ```ts
 * import { flatten, vgg } from "@gapcam/gapcam";
 *
 * const layers = flatten(vgg([8, "M"], { classes: 2 }));
 * const names = layers.map(({ name }) => name);
 * if (names.join() !== "features.0,features.1,features.2,pool,classifier") {
 *   throw new Error(names.join());
 * }
 * ```
 */
export function flatten(model: Layer, prefix = ""): NamedLayer[] {
  if (model.kind !== "sequential") return [{ name: prefix, layer: model }];
  return model.layers.flatMap(([name, layer]) =>
    flatten(layer, join(prefix, name))
  );
}

/** Joins names as PyTorch does: a layer that nothing holds has an empty one. */
export function join(prefix: string, name: string): string {
  return prefix === "" ? name : `${prefix}.${name}`;
}
