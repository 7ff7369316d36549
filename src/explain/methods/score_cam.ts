import { preparedSize } from "../../nn/record.ts";
import type { MapLayer } from "../_layer_named.ts";
import { compileLooks, type Looks } from "../_image_method.ts";
import { lookOften } from "../_look_often.ts";
import { Upsampler } from "../_upsample.ts";
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
 * pytorch-grad-cam; of all such one is looked at. The raw map is that before the ReLU. Channels are enlarged
 * between the centres of corner pixels, as pytorch-grad-cam does; the paper does
 * not say how.
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
  const { network, images, settings } = setup;
  using stack = new DisposableStack();
  const looks = await compileLooks(network, images, {
    batchSize: settings.lookBatch,
  });
  stack.use(looks.program);
  const { height, width } = preparedSize(images);
  const mask = new Float32Array(height * width);
  const upsamplers = new Map(
    setup.layers.map(({ node, shape: [, rows, columns] }) => [
      node,
      new Upsampler([rows, columns], [height, width]),
    ]),
  );
  return await prepareWeighing(setup, {
    nodes: [-1],
    standing: "heuristic",
    owned: stack.move(),
    weigh: (image, layer) =>
      weigh(image, layer, {
        looks,
        mask,
        upsampler: upsamplers.get(layer.node)!,
      }),
  });
}

async function weigh(
  image: SeenImage,
  { node }: MapLayer,
  { looks: { program, buffer }, mask, upsampler }: {
    looks: Looks;
    mask: Float32Array;
    upsampler: Upsampler;
  },
): Promise<Weighed> {
  const pixels = image.valuesOf(-1).data;
  const { shape: [channels, rows, columns], data } = image.valuesOf(node);
  const area = rows * columns;
  const scores = new Float64Array(channels);
  const planeOf = (k: number) => data.subarray(k * area, (k + 1) * area);
  const all = Array.from(scores.keys());
  const blank = all.filter((k) => isConstant(planeOf(k)));
  const shown = [
    ...all.filter((k) => !isConstant(planeOf(k))),
    ...blank.slice(0, 1),
  ];
  await lookOften(program, buffer, {
    count: shown.length,
    fill: (i, target) => {
      const plane = planeOf(shown[i]!);
      const [least, greatest] = upsampler.run(plane, mask);
      const factor = 1 / (greatest - least + 1e-8);
      for (let start = 0; start < target.length; start += mask.length) {
        for (let i = 0; i < mask.length; i++) {
          target[start + i] = pixels[start + i]! * (mask[i]! - least) * factor;
        }
      }
    },
    seen(logits, { start, count }) {
      const { outputs } = program;
      for (let i = 0; i < count; i++) {
        scores[shown[start + i]!] = image.target.valueOf(
          logits.slice(i * outputs, (i + 1) * outputs),
        );
      }
    },
  });
  for (const k of blank) scores[k] = scores[blank[0]!]!;
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return { weights: Float32Array.from(powers, (power) => power / total) };
}

function isConstant(plane: Float32Array): boolean {
  return plane.every((value) => value === plane[0]);
}
