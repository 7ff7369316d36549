import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import { assertIndex } from "./_memory_dataset.ts";
import type { Dataset } from "./dataset.ts";

/**
 * Whether a point is inside a shape of about unit radius around the origin;
 * `x` to the right, `y` down.
 */
type Inside = (x: number, y: number) => boolean;

// Math.hypot guards against overflow, at a price that every pixel would pay.
function squared(x: number, y: number): number {
  return x * x + y * y;
}

// The five edges of a pentagram with points at unit distance: normals, and
// their distance from the centre.
const STAR_NORMALS = Array.from({ length: 5 }, (_, i) => {
  const angle = Math.PI / 2 + i * 2 * Math.PI / 5;
  return [Math.cos(angle), Math.sin(angle)] as const;
});
const STAR_EDGE = Math.cos(2 * Math.PI / 5);

function star(x: number, y: number): boolean {
  // Beyond one edge is a point of the star, beyond two is outside.
  let beyond = 0;
  for (let i = 0; i < 5; i++) {
    const [nx, ny] = STAR_NORMALS[i]!;
    if (nx * x + ny * y > STAR_EDGE && ++beyond > 1) return false;
  }
  return true;
}

function between(value: number, low: number, high: number): boolean {
  return value > low && value < high;
}

const SHAPES: Readonly<Record<string, Inside>> = {
  disc: (x, y) => squared(x, y) < 0.64,
  ring: (x, y) => between(squared(x, y), 0.3, 0.81),
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.7,
  frame: (x, y) => between(Math.max(Math.abs(x), Math.abs(y)), 0.5, 0.8),
  triangle: (x, y) => y < 0.6 && y > 1.9 * Math.abs(x) - 1,
  cross: (x, y) => {
    const across = Math.abs(x), down = Math.abs(y);
    return Math.min(across, down) < 0.25 && Math.max(across, down) < 0.9;
  },
  star,
  crescent: (x, y) => squared(x, y) < 0.81 && squared(x - 0.45, y) > 0.49,
  bars: (x, y) => Math.abs(y) < 0.85 && between(Math.abs(x), 0.26, 0.57),
  dots: (x, y) => squared(Math.abs(x) - 0.5, Math.abs(y) - 0.5) < 0.1156,
};

/** No shape reaches further from its centre than this (the triangle's corners). */
const REACH = 1.2;

/** Options of {@linkcode shapesDataset}. */
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
 * import { shapesDataset } from "@gapcam/gapcam";
 *
 * const shapes = shapesDataset("train", { size: 32, length: 100 });
 * const image = new Uint8Array(32 * 32 * 3);
 * await shapes.read([7], image);
 * if (shapes.classes[shapes.labels[7]!] !== "crescent") throw new Error();
 * ```
 */
export function shapesDataset(
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
  const columns: Columns = {
    groundSin: new Int32Array(size),
    groundCos: new Int32Array(size),
    paintSin: new Int32Array(size),
    paintCos: new Int32Array(size),
  };
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
        draw(SHAPES[classes[index % classes.length]!]!, {
          random: new Random(seed, split === "train" ? 0 : 1, index),
          target: target.subarray(i * bytes, (i + 1) * bytes),
          columns,
        });
      }
    },
  };
  return dataset;
}

/** Sines and cosines along a row, in units of 1/256; kept from image to image. */
interface Columns {
  groundSin: Int32Array;
  groundCos: Int32Array;
  paintSin: Int32Array;
  paintCos: Int32Array;
}

function draw(
  inside: Inside,
  options: { random: Random; target: Uint8Array; columns: Columns },
): void {
  const { random, target, columns } = options;
  const { groundSin, groundCos, paintSin, paintCos } = columns;
  const size = groundSin.length;
  const radius = size * (0.2 + 0.16 * random.uniform());
  const centreX = radius + (size - 2 * radius) * random.uniform();
  const centreY = radius + (size - 2 * radius) * random.uniform();
  const angle = (random.uniform() - 0.5) * 0.9;
  const cos = Math.cos(angle) / radius, sin = Math.sin(angle) / radius;
  const ground = colour(random);
  const paint = contrast(ground, colour(random));
  const wave = stripes(random, size, 0.1), stripe = stripes(random, size, 0.5);
  fillWave(wave.fx, groundSin, groundCos);
  fillWave(stripe.fx, paintSin, paintCos);
  const first = Math.floor(centreX - REACH * radius);
  const last = Math.ceil(centreX + REACH * radius);
  let noise = random.nextUint32() | 1;
  for (let row = 0, at = 0; row < size; row++) {
    const dy = row + 0.5 - centreY;
    const near = Math.abs(dy) < REACH * radius;
    // sin(a + b) = sin a cos b + cos a sin b, a along the row and b down.
    const groundDown = wave.fy * row + wave.phase;
    const groundS = Math.round(256 * wave.depth * Math.sin(groundDown));
    const groundC = Math.round(256 * wave.depth * Math.cos(groundDown));
    const paintDown = stripe.fy * row + stripe.phase;
    const paintS = Math.round(256 * stripe.depth * Math.sin(paintDown));
    const paintC = Math.round(256 * stripe.depth * Math.cos(paintDown));
    for (let column = 0; column < size; column++, at += 3) {
      // A linear congruential generator is enough for grain.
      noise = (Math.imul(noise, 1664525) + 1013904223) | 0;
      const grain = ((noise >> 26) * 5) >> 3;
      const dx = column + 0.5 - centreX;
      const within = near && column >= first && column < last &&
        inside(dx * cos + dy * sin, dy * cos - dx * sin);
      // Fixed point with 16 bits after the point: doubles are twice as slow.
      const shade = 65536 + (within
        ? Math.imul(paintSin[column]!, paintC) +
          Math.imul(paintCos[column]!, paintS)
        : Math.imul(groundSin[column]!, groundC) +
          Math.imul(groundCos[column]!, groundS));
      const base = within ? paint : ground;
      target[at] = byte((Math.imul(base.red, shade) >> 16) + grain);
      target[at + 1] = byte((Math.imul(base.green, shade) >> 16) + grain);
      target[at + 2] = byte((Math.imul(base.blue, shade) >> 16) + grain);
    }
  }
}

function byte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Sine and cosine of `frequency * i`, each from the one before by a rotation. */
function fillWave(
  frequency: number,
  sines: Int32Array,
  cosines: Int32Array,
): void {
  const stepSin = Math.sin(frequency), stepCos = Math.cos(frequency);
  let s = 0, c = 1;
  for (let i = 0; i < sines.length; i++) {
    sines[i] = Math.round(256 * s);
    cosines[i] = Math.round(256 * c);
    const next = s * stepCos + c * stepSin;
    c = c * stepCos - s * stepSin;
    s = next;
  }
}

interface Colour {
  red: number;
  green: number;
  blue: number;
}

function colour(random: Random): Colour {
  return {
    red: 40 + random.integer(180),
    green: 40 + random.integer(180),
    blue: 40 + random.integer(180),
  };
}

/** Moves the paint away from the ground where they are alike. */
function contrast(ground: Colour, paint: Colour): Colour {
  const distance = Math.hypot(
    ground.red - paint.red,
    ground.green - paint.green,
    ground.blue - paint.blue,
  );
  if (distance >= 90) return paint;
  function away(from: number, value: number): number {
    return from < 128 ? value + 80 : value - 80;
  }
  return {
    red: away(ground.red, paint.red),
    green: away(ground.green, paint.green),
    blue: away(ground.blue, paint.blue),
  };
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
