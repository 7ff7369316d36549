import { provePlace } from "../../cam/prove_place.ts";
import { Random } from "../../random.ts";
import {
  type Looks,
  type PreparedImage,
  prepareImageMethod,
} from "../_image_method.ts";
import { channelSum } from "../_layer_method.ts";
import { lookOften } from "../_look_often.ts";
import type { Method, MethodSetup, RawExplanation } from "../method.ts";

/**
 * SmoothGrad times input: the mean of the gradient over noisy copies of the image,
 * times the image, summed over channels: `M = sum over channels of x mean of g(x +
 * noise)`, the noise normal, its deviation a share of the image's range.
 */
export const smoothgrad: Method = {
  name: "smoothgrad",
  title: "SmoothGrad x input",
  summary: "the mean gradient over noisy copies, times the image",
  paper:
    "Smilkov, Thorat, Kim, Viegas, Wattenberg: SmoothGrad: removing noise " +
    "by adding noise, arXiv:1706.03825, 2017",
  looksAt: "pixels",
  gradients: true,
  rectified: false,
  standing: "heuristic",
  passes: "96",
  prepare: (setup) =>
    prepareImageMethod(setup, {
      gradients: "values",
      explain: (image, looks) => explain(image, looks, setup),
    }),
};

async function explain(
  { values: { shape, data }, target, logits }: PreparedImage,
  { program, buffer }: Looks,
  { settings: { samples, noise, seed }, tolerance }: MethodSetup,
): Promise<RawExplanation> {
  let [least, greatest] = [Infinity, -Infinity];
  for (const value of data) {
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
  }
  const deviation = noise * (greatest - least);
  const gradients = new Float64Array(data.length);
  const sums: number[] = [];
  await lookOften(program, buffer, {
    count: samples,
    fill: (i, target) => {
      const random = new Random(seed, i);
      for (let j = 0; j < target.length; j += 2) {
        const [one, other] = normalPair(random);
        target[j] = data[j]! + deviation * one;
        if (j + 1 < target.length) {
          target[j + 1] = data[j + 1]! + deviation * other;
        }
      }
    },
    async seen(logits, { count }) {
      const rows = Array.from(
        { length: count },
        (_, i) => logits.slice(i * program.outputs, (i + 1) * program.outputs),
      );
      await program.backward(
        Float32Array.from(rows.flatMap((row) => [...target.seedOf(row)])),
      );
      const witnesses = program.gradientSums(0);
      for (let i = 0; i < count; i++) {
        sums.push(witnesses[i]!);
        program.gradients(0, i).data.forEach((g, j) =>
          gradients[j]! += g / samples
        );
      }
    },
  });
  let size = 0;
  for (const g of gradients) size += Math.abs(g);
  const place = provePlace(
    channelSum({ shape, data: Float32Array.from(gradients) }),
    { sums, weights: sums.map(() => 1 / samples) },
    // What is summed is larger than the sum; a place weighs 1/2 in the mean.
    { tolerance, size: size / 2 },
  );
  const map = channelSum({
    shape,
    data: Float32Array.from(gradients, (g, i) => g * data[i]!),
  });
  return {
    map,
    value: target.valueOf(logits),
    standing: "heuristic",
    place,
    note: `the mean over ${samples} noisy copies`,
  };
}

/** Two independent numbers of the normal distribution (Box and Muller 1958). */
function normalPair(random: Random): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  const angle = 2 * Math.PI * random.uniform();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}
