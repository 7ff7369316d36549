import { provePlace } from "../../cam/prove_place.ts";
import { blackOf } from "../_black.ts";
import {
  type Looks,
  type PreparedImage,
  prepareImageMethod,
} from "../_image_method.ts";
import { channelSum } from "../_layer_method.ts";
import { legendre } from "../_legendre.ts";
import { lookOften } from "../_look_often.ts";
import type { Method, MethodSetup, RawExplanation } from "../method.ts";

const FIRST_STEPS = 16;
const MOST_STEPS = 1024;

/** The sum converges slowly where ReLUs switch on the way. */
const TOLERANCE = 0.01;

/**
 * Integrated gradients: each pixel's difference from black, times its gradient's
 * mean on the straight way from the black image to the image, summed over
 * channels: `M = sum over channels of (x - x') integral of g(x' + a (x - x')) da`.
 *
 * The map's total is what the target's value is above that of the black image
 * (completeness, proposition 1). The integral is a Gauss-Legendre sum of 16 steps,
 * or twice as many, and so on up to 1024, until that holds to one part in a
 * hundred: then the map is proved.
 */
export const integratedGradients: Method = {
  name: "integrated-gradients",
  title: "Integrated gradients",
  summary: "each pixel's share of what the image has more than a black one",
  paper: "Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks, " +
    "ICML 2017",
  looksAt: "pixels",
  gradients: true,
  rectified: false,
  standing: "proved",
  claim: "the map adds up to what the value is above that of a black image",
  passes: "48 or more",
  prepare: (setup) =>
    prepareImageMethod(setup, {
      gradients: "values",
      explain: (image, looks) => explain(image, looks, setup),
    }),
};

async function explain(
  image: PreparedImage,
  looks: Looks,
  { images, settings, tolerance }: MethodSetup,
): Promise<RawExplanation> {
  const black = blackOf(images);
  const { shape, data } = image.values;
  const area = shape[1] * shape[2];
  const difference = data.map((x, i) => x - black[Math.floor(i / area)]!);
  let steps = settings.steps ?? FIRST_STEPS;
  for (;;) {
    const { gradients, place, value, least } = await integrate(image, looks, {
      ...{ black, difference, steps, tolerance },
    });
    const map = channelSum({
      shape,
      data: Float32Array.from(gradients, (g, i) => g * difference[i]!),
    });
    const total = map.data.reduce((a, b) => a + b, 0);
    const gap = value - least;
    // A gap near zero is the small difference of large values.
    const size = Math.max(Math.abs(value), Math.abs(least));
    const scale = Math.max(Math.abs(gap), size / 10);
    const residual = total === gap ? 0 : Math.abs(total - gap) / scale;
    const proved = residual <= TOLERANCE;
    if (!proved && settings.steps === undefined && 2 * steps <= MOST_STEPS) {
      steps *= 2;
      continue;
    }
    return {
      ...{ map, value, residual, place },
      standing: proved ? "proved" : "heuristic",
      note:
        `${steps} steps from black, where the value is ${
          Number(least.toPrecision(4))
        }` + (proved ? "" : ": too few for its sum to be proved"),
    };
  }
}

/** The mean gradient on the way from black, and the values at its ends. */
async function integrate(
  { values: { shape, data }, target }: PreparedImage,
  { program, buffer }: Looks,
  { black, difference, steps, tolerance }: {
    black: Float32Array;
    difference: Float32Array;
    steps: number;
    tolerance: number;
  },
) {
  const area = shape[1] * shape[2];
  const { points, weights } = legendre(steps);
  // The ends are seen too, and weigh nothing.
  const at = [0, 1, ...points];
  const gradients = new Float64Array(data.length);
  const sums: number[] = [];
  const ends: number[] = [];
  await lookOften(program, buffer, {
    count: at.length,
    fill: (i, target) => {
      const share = at[i]!;
      for (let j = 0; j < target.length; j++) {
        target[j] = black[Math.floor(j / area)]! + share * difference[j]!;
      }
    },
    async seen(logits, { start, count }) {
      const rows = Array.from(
        { length: count },
        (_, i) => logits.slice(i * program.outputs, (i + 1) * program.outputs),
      );
      await program.backward(
        Float32Array.from(rows.flatMap((row) => [...target.seedOf(row)])),
      );
      const witnesses = program.gradientSums(0);
      rows.forEach((row, i) => {
        const step = start + i;
        if (step < 2) {
          ends.push(target.valueOf(row));
          return;
        }
        const weight = weights[step - 2]!;
        sums.push(witnesses[i]!);
        program.gradients(0, i).data.forEach((g, j) =>
          gradients[j]! += weight * g
        );
      });
    },
  });
  let size = 0;
  for (const g of gradients) size += Math.abs(g);
  const place = provePlace(
    channelSum({ shape, data: Float32Array.from(gradients) }),
    { sums, weights },
    // What is summed is larger than the sum; a place weighs 1/2 in the mean.
    { tolerance, size: size / 2 },
  );
  return { gradients, place, least: ends[0]!, value: ends[1]! };
}
