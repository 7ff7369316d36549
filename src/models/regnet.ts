import { relu } from "../nn/layers/activation.ts";
import { globalAveragePool } from "../nn/layers/global_average_pool.ts";
import {
  branches,
  type Layer,
  type Sequential,
  sequential,
} from "../nn/layers/layer.ts";
import { linear } from "../nn/layers/linear.ts";
import {
  convNormActivation,
  type ModelOptions,
  squeezeExcitation,
} from "./_blocks.ts";

/** Channels and blocks of each stage of RegNetY-400MF (Radosavovic et al. 2020). */
const STAGES = [[48, 1], [104, 3], [208, 6], [440, 6]] as const;
/** Channels of a group. */
const GROUP_WIDTH = 8;
/** Channels of the squeezed, as a share of the block's input. */
const SQUEEZED = 0.25;

/**
 * Describes RegNetY-400MF, layer for layer as torchvision names it.
 *
 * @param options Classes and channels of the images.
 * @returns A model from [N, inputChannels, H, W] to [N, classes].
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { regnet } from "@gapcam/gapcam/models";
 *
 * const names = parametersOf(regnet({ classes: 10 })).map(({ name }) => name);
 * if (!names.includes("trunk_output.block1.block1-0.f.se.fc1.weight")) {
 *   throw new Error();
 * }
 * ```
 */
export function regnet(options: ModelOptions): Sequential {
  const trunk: Record<string, Layer> = {};
  let channels = 32;
  STAGES.forEach(([outputs, count], stage) => {
    const blocks: Record<string, Layer> = {};
    for (let i = 0; i < count; i++) {
      blocks[`block${stage + 1}-${i}`] = block(
        channels,
        outputs,
        i === 0 ? 2 : 1,
      );
      channels = outputs;
    }
    trunk[`block${stage + 1}`] = sequential(blocks);
  });
  return sequential({
    stem: convNormActivation(options.inputChannels ?? 3, 32, {
      stride: 2,
      activation: relu(),
    }),
    trunk_output: sequential(trunk),
    avgpool: globalAveragePool(),
    fc: linear(channels, options.classes),
  });
}

function block(inputs: number, outputs: number, stride: number): Layer {
  const body = sequential({
    a: convNormActivation(inputs, outputs, {
      kernelSize: 1,
      activation: relu(),
    }),
    b: convNormActivation(outputs, outputs, {
      stride,
      groups: outputs / GROUP_WIDTH,
      activation: relu(),
    }),
    se: squeezeExcitation(outputs, Math.round(SQUEEZED * inputs), relu()),
    c: convNormActivation(outputs, outputs, { kernelSize: 1 }),
  });
  const shortcut = stride === 1 && inputs === outputs
    ? null
    : convNormActivation(inputs, outputs, { kernelSize: 1, stride });
  return sequential({
    "": branches("add", [["proj", shortcut], ["f", body]]),
    activation: relu(),
  });
}
