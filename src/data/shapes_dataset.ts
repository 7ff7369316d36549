import { GapcamError } from "../error.ts";
import { Random } from "../random.ts";
import { assertIndex } from "./_memory_dataset.ts";
import { type Inside, REACH, SHAPES } from "./_shapes.ts";
import type { Dataset, LabelledBox } from "./dataset.ts";

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
 * when they are read, each from its own random stream, and where each shape lies
 * is known.
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
): Dataset & Required<Pick<Dataset, "boxes">> {
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
  const shapeOf = (index: number) => SHAPES[classes[index % classes.length]!]!;
  const randomOf = (index: number) =>
    new Random(seed, split === "train" ? 0 : 1, index);
  const dataset: Dataset & Required<Pick<Dataset, "boxes">> = {
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
        draw(shapeOf(index), {
          random: randomOf(index),
          target: target.subarray(i * bytes, (i + 1) * bytes),
          columns,
        });
      }
    },
    boxes(index) {
      assertIndex(dataset, index);
      const place = placed(randomOf(index), size);
      const label = index % classes.length;
      return [{ ...boxOf(shapeOf(index), place, size), label }];
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
  const { radius, centreX, centreY, cos, sin } = placed(random, size);
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

/** A shape's place: pixels times `cos` and `sin` are in units of its radius. */
interface Placed {
  radius: number;
  centreX: number;
  centreY: number;
  cos: number;
  sin: number;
}

/** The first thing that is drawn from an image's random stream. */
function placed(random: Random, size: number): Placed {
  const radius = size * (0.2 + 0.16 * random.uniform());
  const centreX = radius + (size - 2 * radius) * random.uniform();
  const centreY = radius + (size - 2 * radius) * random.uniform();
  const angle = (random.uniform() - 0.5) * 0.9;
  return {
    radius,
    centreX,
    centreY,
    cos: Math.cos(angle) / radius,
    sin: Math.sin(angle) / radius,
  };
}

/** The least box that holds every pixel of a shape. */
function boxOf(
  inside: Inside,
  { centreX, centreY, cos, sin }: Placed,
  size: number,
): Omit<LabelledBox, "label"> {
  let top = size, left = size, bottom = -1, right = -1;
  for (let row = 0; row < size; row++) {
    const dy = row + 0.5 - centreY;
    for (let column = 0; column < size; column++) {
      const dx = column + 0.5 - centreX;
      if (!inside(dx * cos + dy * sin, dy * cos - dx * sin)) continue;
      top = Math.min(top, row);
      bottom = row;
      left = Math.min(left, column);
      right = Math.max(right, column);
    }
  }
  return { top, left, height: bottom - top + 1, width: right - left + 1 };
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
