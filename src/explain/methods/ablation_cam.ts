import { GapcamError } from "../../error.ts";
import { preparedSize, shapedNodes } from "../../nn/record.ts";
import { cutAt, TailProgram } from "../_tail_program.ts";
import {
  prepareWeighing,
  type SeenImage,
  type Weighed,
} from "../_weigh_by_looking.ts";
import type { Method, MethodSetup, PreparedMethod } from "../method.ts";

/**
 * Ablation-CAM: `M = ReLU(sum over k of a_k A_k)` with `a_k = (y - y_k) / y`, `y`
 * the target's value and `y_k` that where channel k of the layer is zero
 * everywhere (equation 4). The raw map is that before the ReLU.
 *
 * Only the part of the network behind the layer runs again. What is checked: where
 * no channel is zero, that part gives the logits that the whole network gave.
 * Where `y` is below zero so is what divides, and the map shows what speaks
 * against the target, as the paper defines it. pytorch-grad-cam sets a channel of a
 * layer that has negative values far below zero instead, which the paper does not.
 */
export const ablationCam: Method = {
  name: "ablation-cam",
  title: "Ablation-CAM",
  summary: "a layer's channels, each weighed by the fall without it",
  paper: "Desai, Ramaswamy: Ablation-CAM: Visual Explanations for Deep " +
    "Convolutional Network via Gradient-free Localization, WACV 2020",
  looksAt: "layer",
  gradients: false,
  rectified: true,
  standing: "checked",
  claim: "what follows the layer gives the same logits alone",
  passes: "1 + K of the layers behind",
  prepare,
};

async function prepare(setup: MethodSetup): Promise<PreparedMethod> {
  const { network, images, layers, settings, tolerance } = setup;
  using stack = new DisposableStack();
  const nodes = shapedNodes(network, images);
  const { height, width } = preparedSize(images);
  const shapeOf = (node: number): readonly number[] =>
    node < 0
      ? [images.image.channels, height, width]
      : nodes[node]!.outputShape;
  const tails = new Map<number, TailProgram>();
  const beside = new Set<number>();
  for (const { node, name } of layers) {
    const cut = cutAt(network, node);
    for (const other of cut) {
      beside.add(other);
      if (shapeOf(other).length === 3) continue;
      throw new GapcamError(
        "unsupported",
        `Cannot explain layer ${name} with ablation-cam: what follows it reads ` +
          "numbers that are no map from elsewhere; choose a layer outside the " +
          "branches",
      );
    }
    const shapes = new Map(
      [node, ...cut].map((other) => [other, shapeOf(other)]),
    );
    const tail = await TailProgram.compile(network, {
      node,
      shapes,
      batchSize: settings.lookBatch,
    });
    tails.set(node, stack.use(tail));
  }
  return await prepareWeighing(setup, {
    nodes: [...beside],
    standing: "checked",
    owned: stack.move(),
    weigh: (image, { node }) =>
      weigh(image, { node, tail: tails.get(node)!, tolerance }),
  });
}

async function weigh(
  image: SeenImage,
  { node, tail, tolerance }: {
    node: number;
    tail: TailProgram;
    tolerance: number;
  },
): Promise<Weighed> {
  const [channels] = image.valuesOf(node).shape;
  const { batchSize } = tail;
  const outputs = image.logits.length;
  tail.setImage((other) => image.valuesOf(other));
  const value = image.target.valueOf(image.logits);
  const weights = new Float32Array(channels);
  let residual = 0;
  // The first copy of all has every channel.
  for (let start = -1; start < channels; start += batchSize) {
    const gates = new Float32Array(batchSize * channels).fill(1);
    for (let i = 0; i < batchSize; i++) {
      const channel = start + i;
      if (channel >= 0 && channel < channels) gates[i * channels + channel] = 0;
    }
    const logits = await tail.run(gates);
    for (let i = 0; i < batchSize && start + i < channels; i++) {
      const own = logits.slice(i * outputs, (i + 1) * outputs);
      if (start + i < 0) residual = differenceOf(own, image.logits, tolerance);
      else {
        const fall = value - image.target.valueOf(own);
        weights[start + i] = value === 0 ? fall : fall / value;
      }
    }
  }
  return { weights, residual };
}

/** How far logits are from those that they must be. */
function differenceOf(
  found: Float32Array,
  expected: Float32Array,
  tolerance: number,
): number {
  const scale = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-30);
  const residual = found.reduce(
    (worst, logit, i) => Math.max(worst, Math.abs(logit - expected[i]!)),
    0,
  ) / scale;
  if (residual <= tolerance) return residual;
  throw new GapcamError(
    "bad-data",
    `Cannot explain with ablation-cam: found logits that differ by ` +
      `${residual.toExponential(2)} of the greatest where no channel is left ` +
      `out, expected at most ${tolerance}`,
  );
}
