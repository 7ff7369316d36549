import type { MapLayer } from "../_layer_named.ts";
import { MaskProgram } from "../_mask_program.ts";
import {
  prepareWeighing,
  type SeenImage,
  type Weighed,
} from "../_weigh_by_looking.ts";
import type { Method, MethodSetup, PreparedMethod } from "../method.ts";

/**
 * Score-CAM: `M = ReLU(sum over k of a_k A_k)`, where `a` is the softmax over
 * channels of the target's value of `x H_k`: the normalised image times the
 * channel, enlarged to the image and scaled to [0, 1].
 *
 * A channel that is the same everywhere masks the whole image away, as in
 * pytorch-grad-cam; of all such one is looked at. The raw map is that before the
 * ReLU. Channels are enlarged between the centres of corner pixels, as
 * pytorch-grad-cam does; the paper does not say how.
 */
export const scoreCam: Method = {
  name: "score-cam",
  title: "Score-CAM",
  summary: "a layer's channels, each weighed by what it shows of the image",
  paper: "Wang, Wang, Du, Yang, Zhang, Ding, Mardziel, Hu: Score-CAM: " +
    "Score-Weighted Visual Explanations for Convolutional Neural Networks, " +
    "CVPR Workshops 2020",
  looksAt: "layer",
  gradients: false,
  rectified: true,
  standing: "heuristic",
  passes: "1 + K",
  prepare,
};

async function prepare(setup: MethodSetup): Promise<PreparedMethod> {
  const { network, images, layers, settings } = setup;
  using stack = new DisposableStack();
  const most = (axis: 1 | 2) =>
    Math.max(...layers.map(({ shape }) => shape[axis]));
  const program = stack.use(
    await MaskProgram.compile(network, images, {
      batchSize: settings.lookBatch,
      size: [most(1), most(2)],
    }),
  );
  return await prepareWeighing(setup, {
    nodes: [-1],
    standing: "heuristic",
    owned: stack.move(),
    weigh: (image, layer) => weigh(image, layer, program),
  });
}

async function weigh(
  image: SeenImage,
  { node }: MapLayer,
  program: MaskProgram,
): Promise<Weighed> {
  const { shape: [channels, rows, columns], data } = image.valuesOf(node);
  const area = rows * columns;
  const planes = Array.from(
    { length: channels },
    (_, k) => data.subarray(k * area, (k + 1) * area),
  );
  const all = [...planes.keys()];
  const blank = all.filter((k) => isConstant(planes[k]!));
  const shown = [
    ...all.filter((k) => !isConstant(planes[k]!)),
    ...blank.slice(0, 1),
  ];
  const scores = new Float64Array(channels);
  program.setImage(image.valuesOf(-1).data);
  program.setSize([rows, columns]);
  const { batchSize, outputs } = program;
  for (let start = 0; start < shown.length; start += batchSize) {
    const some = shown.slice(start, start + batchSize);
    const logits = await program.run(some.map((k) => planes[k]!));
    some.forEach((k, i) => {
      const own = logits.slice(i * outputs, (i + 1) * outputs);
      scores[k] = image.target.valueOf(own);
    });
  }
  for (const k of blank) scores[k] = scores[blank[0]!]!;
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return { weights: Float32Array.from(powers, (power) => power / total) };
}

function isConstant(plane: Float32Array): boolean {
  return plane.every((value) => value === plane[0]);
}
