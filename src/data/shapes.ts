import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import { assertIndex } from "./_memory_dataset.ts";
import type { Dataset } from "./dataset.ts";

/**
 * Whether a point is inside a shape of about unit radius around the origin;
 * `x` to the right, `y` down, `r` the distance from the origin.
 */
type Inside = (x: number, y: number, r: number) => boolean;

// Math.hypot guards against overflow, at a price that every pixel would pay.
function distance(x: number, y: number): number {
  return Math.sqrt(x * x + y * y);
}

function starRadius(x: number, y: number): number {
  const fifth = 2 * Math.PI / 5;
  const angle = Math.abs(
    ((Math.atan2(y, x) + 2 * Math.PI) % fifth) - fifth / 2,
  );
  // From 0.4 between two points to 1 at a point, along straight edges.
  const inner = 0.4, half = fifth / 2;
  return inner * Math.sin(half) /
    (inner * Math.sin(half - angle) + Math.sin(angle) * (inner * inner)) *
    inner;
}

const SHAPES: Readonly<Record<string, Inside>> = {
  disc: (_x, _y, r) => r < 0.8,
  ring: (_x, _y, r) => r < 0.9 && r > 0.55,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.7,
  frame: (x, y) => {
    const d = Math.max(Math.abs(x), Math.abs(y));
    return d < 0.8 && d > 0.5;
  },
  triangle: (x, y) => y < 0.6 && y > 1.9 * Math.abs(x) - 1,
  cross: (x, y) => {
    const small = Math.min(Math.abs(x), Math.abs(y));
    return small < 0.25 && Math.max(Math.abs(x), Math.abs(y)) < 0.9;
  },
  star: (x, y, r) => r < Math.min(1, starRadius(x, y)),
  crescent: (x, y, r) => r < 0.9 && distance(x - 0.45, y) > 0.7,
  bars: (x, y) =>
    Math.abs(y) < 0.85 && Math.abs(x) > 0.26 && Math.abs(x) < 0.57,
  dots: (x, y) => distance(Math.abs(x) - 0.5, Math.abs(y) - 0.5) < 0.34,
};

/** Options of {@linkcode openShapes}. */
export interface ShapesOptions {
  /** Number of images. Default: 4,000 for training, 1,000 for testing. */
  length?: number;
  /** Height and width in pixels. Default: 96. */
  size?: number;
  /** The same seed gives the same images. Default: 0. */
  seed?: number;
}

/**
 * Generates a data set that needs no download: ten classes of striped shapes
 * at any place, size, angle and colour, on textured ground. Images are drawn
 * when they are read, each from its own random stream.
 *
 * @param split Training and test images differ.
 * @param options Size, number and seed.
 * @returns A data set of RGB images; image i is of class i modulo 10.
 * @throws {GapcamError} If a number is out of range.
 *
 * @example
 * ```ts
 * import { openShapes } from "@gapcam/gapcam";
 *
 * const shapes = openShapes("train", { size: 32, length: 100 });
 * const image = new Uint8Array(32 * 32 * 3);
 * await shapes.read([7], image);
 * if (shapes.classes[shapes.labels[7]!] !== "crescent") throw new Error();
 * ```
 */
export function openShapes(
  split: "train" | "test",
  options: ShapesOptions = {},
): Dataset {
  const length = options.length ?? (split === "train" ? 4000 : 1000);
  const size = options.size ?? 96;
  const seed = options.seed ?? 0;
  for (
    const [name, value, least, most] of [
      ["length", length, 1, 2 ** 24],
      ["size", size, 8, 1024],
    ] as const
  ) {
    if (Number.isSafeInteger(value) && value >= least && value <= most) {
      continue;
    }
    throw new GapcamError(
      "invalid-argument",
      `Cannot generate shapes: ${name} is ${value}, expected a whole number ` +
        `from ${least} to ${most}`,
    );
  }
  const classes = Object.keys(SHAPES);
  const dataset: Dataset = {
    name: "shapes",
    split,
    classes,
    length,
    height: size,
    width: size,
    channels: 3,
    labels: Int32Array.from({ length }, (_, i) => i % classes.length),
    read(indices, target) {
      const bytes = size * size * 3;
      for (let i = 0; i < indices.length; i++) {
        const index = assertIndex(dataset, indices[i]!);
        const random = new Random(seed, split === "train" ? 0 : 1, index);
        draw(
          SHAPES[classes[index % classes.length]!]!,
          random,
          target.subarray(i * bytes, (i + 1) * bytes),
        );
      }
    },
  };
  return dataset;
}

function draw(inside: Inside, random: Random, target: Uint8Array): void {
  const size = Math.sqrt(target.length / 3);
  const radius = size * (0.2 + 0.16 * random.uniform());
  const centreX = radius + (size - 2 * radius) * random.uniform();
  const centreY = radius + (size - 2 * radius) * random.uniform();
  const angle = (random.uniform() - 0.5) * 0.9;
  const cos = Math.cos(angle) / radius, sin = Math.sin(angle) / radius;
  const ground = colour(random), paint = colour(random);
  contrast(ground, paint);
  const wave = stripes(random, size, 0.1), stripe = stripes(random, size, 0.5);
  let noise = random.nextUint32() | 1;
  for (let row = 0, at = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const dx = column + 0.5 - centreX, dy = row + 0.5 - centreY;
      const x = dx * cos + dy * sin, y = dy * cos - dx * sin;
      const within = inside(x, y, distance(x, y));
      const { fx, fy, phase, depth } = within ? stripe : wave;
      const shade = 1 + depth * Math.sin(fx * column + fy * row + phase);
      const base = within ? paint : ground;
      // A linear congruential generator is enough for grain.
      noise = (Math.imul(noise, 1664525) + 1013904223) | 0;
      const grain = (noise >> 27) * 1.2;
      for (let channel = 0; channel < 3; channel++) {
        const value = base[channel]! * shade + grain;
        target[at++] = value < 0 ? 0 : value > 255 ? 255 : value;
      }
    }
  }
}

function colour(random: Random): [number, number, number] {
  return [
    40 + 180 * random.uniform(),
    40 + 180 * random.uniform(),
    40 + 180 * random.uniform(),
  ];
}

/** Moves the paint away from the ground where they are alike. */
function contrast(ground: number[], paint: number[]): void {
  const distance = Math.hypot(...ground.map((g, i) => g - paint[i]!));
  if (distance >= 90) return;
  for (let i = 0; i < 3; i++) {
    paint[i] = ground[i]! < 128 ? paint[i]! + 80 : paint[i]! - 80;
  }
}

/** A sine wave across the image: frequency, phase and depth. */
function stripes(random: Random, size: number, most: number) {
  const direction = random.uniform() * Math.PI;
  const frequency = (4 + 10 * random.uniform()) * 2 * Math.PI / size;
  return {
    fx: Math.cos(direction) * frequency,
    fy: Math.sin(direction) * frequency,
    phase: random.uniform() * 2 * Math.PI,
    depth: random.uniform() * most,
  };
}
