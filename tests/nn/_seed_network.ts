import { parametersOf } from "../../src/nn/parameters.ts";
import { vgg } from "../../src/models/vgg.ts";
import type { StateDict } from "../../src/host_tensor.ts";
import { fillUniform, images, labels } from "./_hashed.ts";

/** The network of scripts/fixtures/nn_seed.py. */
export const SEED_MODEL = vgg("vgg16", { classes: 10, negativeSlope: 0.2 });

/** Its batch: three images of 64x64 and their labels. */
export const SEED_BATCH = {
  images: images(3 * 64 * 64 * 3, 2 ** 30),
  labels: labels(3, 10, 2 ** 30 + 1),
};

/**
 * Its weights, drawn channel by channel.
 *
 * @param redrawn By layer and channel: how often a channel was drawn again.
 */
export function seedState(
  redrawn: Record<string, Record<string, number>>,
): StateDict {
  const state: StateDict = new Map();
  parametersOf(SEED_MODEL).forEach(({ name, shape, fanIn }, index) => {
    const layer = index >> 1;
    const channels = shape[0]!;
    const data = new Float32Array(shape.reduce((product, d) => product * d, 1));
    const size = data.length / channels;
    for (let channel = 0; channel < channels; channel++) {
      const attempt = redrawn[layer]?.[channel] ?? 0;
      const seed = (layer * 4096 + channel) * 64 + attempt * 2;
      const part = data.subarray(channel * size, (channel + 1) * size);
      if (name.endsWith(".bias")) fillUniform(part, seed + 1, 0.1);
      else {
        fillUniform(part, seed, Math.sqrt(6 / (1 + 0.2 ** 2) / fanIn));
      }
    }
    state.set(name, { shape, data });
  });
  return state;
}
