import { whole } from "./_checks.ts";
import { expect, type LayerKind } from "./_layer_kind.ts";
import { weightAndBias } from "./_weight_and_bias.ts";

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

/** What is true of fully connected layers. */
export const linearKind: LayerKind<Linear> = {
  parse: (json) =>
    linear(json.number("inputFeatures"), json.number("outputFeatures"), {
      bias: json.flag("bias"),
    }),
  outputShape: (layer, [input]) => {
    expect(
      input.length === 1 && input[0] === layer.inputFeatures,
      `${layer.inputFeatures} features`,
    );
    return [layer.outputFeatures];
  },
  parameters: ({ inputFeatures, outputFeatures, bias }) =>
    weightAndBias([outputFeatures, inputFeatures], bias),
  multiplyAdds: ({ inputFeatures }) => inputFeatures,
  record: (layer, { program, inputs, parameter }) =>
    program.linear(
      inputs[0],
      parameter("weight"),
      layer.bias ? { bias: parameter("bias") } : {},
    ),
};
