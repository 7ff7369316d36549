import { GapcamError } from "../../error.ts";
import { whole } from "./_checks.ts";
import {
  expect,
  type LayerKind,
  mapShape,
  type ParameterSpec,
} from "./_layer_kind.ts";

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

/** What is true of batch normalisation. */
export const batchNorm2dKind: LayerKind<BatchNorm2d> = {
  parse: (json) =>
    batchNorm2d(json.number("channels"), {
      epsilon: json.number("epsilon"),
      momentum: json.number("momentum"),
    }),
  outputShape: (layer, [input]) => {
    const [channels] = mapShape(input);
    expect(channels === layer.channels, `${layer.channels} channels`);
    return input;
  },
  parameters: ({ channels }) => [
    perChannel("weight", channels, { initialValue: 1, trainable: true }),
    perChannel("bias", channels, { initialValue: 0, trainable: true }),
    perChannel("running_mean", channels, { initialValue: 0, trainable: false }),
    perChannel("running_var", channels, { initialValue: 1, trainable: false }),
  ],
  record: (layer, { program, inputs, parameter }) =>
    program.batchNorm2d(inputs[0], {
      weight: parameter("weight"),
      bias: parameter("bias"),
      runningMean: parameter("running_mean"),
      runningVariance: parameter("running_var"),
      epsilon: layer.epsilon,
      momentum: layer.momentum,
    }),
};

function perChannel(
  name: string,
  channels: number,
  options: { initialValue: number; trainable: boolean },
): ParameterSpec {
  return { name, shape: [channels], fanIn: 0, ...options };
}
