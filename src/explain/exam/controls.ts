import type { FloatMap } from "../../image/float_map.ts";
import { Random } from "../../random.ts";
import type { ExamMethod } from "./exam_method.ts";

/** Values a side of a random map. */
const CELLS = 8;

type Sides = { height: number; width: number; channels: number };

/**
 * What a method must be better than: maps that ask no network. A random one, one
 * that always points at the centre (as in TorchRay's pointing game), and the
 * image's own edges (as in Adebayo et al., "Sanity Checks for Saliency Maps",
 * NeurIPS 2018).
 */
export const CONTROL_METHODS: readonly ExamMethod[] = [
  control("random", (pixels) => {
    // The same map for the same image, whatever the network and the class.
    const seed = pixels.reduce((sum, level) => (31 * sum + level) | 0, 7);
    const data = new Float32Array(CELLS * CELLS);
    return {
      height: CELLS,
      width: CELLS,
      data: new Random(seed >>> 0).fillUniform(data, 0, 1),
    };
  }),
  control("centre", (_, { height, width }) => ({
    height,
    width,
    data: Float32Array.from({ length: height * width }, (_, i) => {
      const x = (i % width + 0.5) / width - 0.5;
      const y = (Math.floor(i / width) + 0.5) / height - 0.5;
      return Math.exp(-8 * (x * x + y * y));
    }),
  })),
  control("edges", edgesOf),
];

function control(
  name: string,
  mapOf: (pixels: Uint8Array, sides: Sides) => FloatMap,
): ExamMethod {
  return {
    name,
    open: (_, { image }) => {
      const { height, width, channels } = image;
      const bytes = height * width * channels;
      return Promise.resolve({
        maps: (images: Uint8Array, targets: readonly number[]) =>
          Promise.resolve(
            targets.map((_, i) =>
              mapOf(images.subarray(i * bytes, (i + 1) * bytes), {
                height,
                width,
                channels,
              })
            ),
          ),
        [Symbol.dispose]: () => {},
      });
    },
  };
}

/** How much each place differs from those around it. */
function edgesOf(
  pixels: Uint8Array,
  { height, width, channels }: Sides,
): FloatMap {
  const level = (y: number, x: number) => {
    const row = Math.min(height - 1, Math.max(0, y));
    const column = Math.min(width - 1, Math.max(0, x));
    let sum = 0;
    for (let c = 0; c < channels; c++) {
      sum += pixels[(row * width + column) * channels + c]!;
    }
    return sum;
  };
  const data = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const across = level(y, x + 1) - level(y, x - 1);
      const down = level(y + 1, x) - level(y - 1, x);
      data[y * width + x] = Math.sqrt(across * across + down * down);
    }
  }
  return { height, width, data };
}
