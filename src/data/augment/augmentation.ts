import { printable, printableValue } from "../../_printable.ts";
import { GapcamError } from "../../error.ts";

/**
 * Random changes to training images, in the order in which they are made. What
 * becomes of an image depends on the seed, the epoch and the image alone. See
 * {@linkcode BatchLoader}.
 */
export interface Augmentation {
  /**
   * Cut out a part of at least this share of the image, with a ratio of sides
   * from 3/4 to 4/3, and bring it to the old size, as torchvision's
   * `RandomResizedCrop`. Default: 0, not at all.
   */
  resizedCrop?: number;
  /**
   * Pad each image with this many pixels on every side and cut out a random
   * window of the old size, as torchvision's `RandomCrop`. Default: 0.
   */
  randomCrop?: number;
  /** What those pixels are: `black`, or what mirrors at the edges show. Default: `black`. */
  padding?: "black" | "reflect";
  /**
   * Mirror each image left to right with probability one half; `alternating`:
   * one half of them in the first epoch, and each in every second one (Jordan,
   * "94% on CIFAR-10 in 3.29 seconds", 2024). Default: false.
   */
  horizontalFlip?: boolean | "alternating";
  /** Mirror each image top to bottom with probability one half. Default: false. */
  verticalFlip?: boolean;
  /** One change of fourteen, as strong as chance will have it (TrivialAugment). Default: false. */
  trivialAugment?: boolean;
  /** Turn by up to so many degrees either way. Default: 0. */
  rotate?: number;
  /** Move by up to this share of width and height either way. Default: 0. */
  translate?: number;
  /** Make larger or smaller by up to this share. Default: 0. */
  zoom?: number;
  /** Slant columns by up to so many degrees either way. Default: 0. */
  shear?: number;
  /** Multiply brightness by 1 less or plus up to this. Default: 0. */
  brightness?: number;
  /** The same for contrast. Default: 0. */
  contrast?: number;
  /** The same for saturation. Default: 0. */
  saturation?: number;
  /** Turn colours by up to this part of the circle either way. Default: 0. */
  hue?: number;
  /** Cover a rectangle with this probability (random erasing, cutout). Default: 0. */
  erase?: number;
  /** Levels of what is covered, for each channel or all. Default: black. */
  fill?: readonly number[];
}

/** Least and greatest value of each number. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  resizedCrop: [0, 1],
  randomCrop: [0, 4096],
  rotate: [0, 180],
  translate: [0, 1],
  zoom: [0, 0.99],
  shear: [0, 89],
  brightness: [0, 10],
  contrast: [0, 10],
  saturation: [0, 10],
  hue: [0, 0.5],
  erase: [0, 1],
};

const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  padding: ["black", "reflect"],
  horizontalFlip: [true, false, "alternating"],
  verticalFlip: [true, false],
  trivialAugment: [true, false],
};

/**
 * Makes sure that a value, which may come from a file, is an
 * {@linkcode Augmentation}.
 *
 * @throws {GapcamError} If it is not; the message names what is wrong.
 */
export function checkAugmentation(
  value: unknown,
): asserts value is Augmentation {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot augment by ${printableValue(value)}: expected an object`,
    );
  }
  for (const [name, found] of Object.entries(value)) {
    const expected = problemOf(name, found);
    if (expected === undefined) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot augment with ${printable(name, 60)} ${printableValue(found)}: ` +
        `expected ${expected}`,
    );
  }
}

/** What is expected instead; undefined where nothing is wrong. */
function problemOf(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (name === "fill") {
    const levels = Array.isArray(value) && value.length > 0 &&
      value.every((level) => level >= 0 && level <= 255);
    return levels ? undefined : "levels from 0 to 255";
  }
  const choices = Object.entries(CHOICES).find(([key]) => key === name)?.[1];
  if (choices) {
    return choices.includes(value)
      ? undefined
      : `one of ${choices.map(String).join(", ")}`;
  }
  const range = Object.entries(RANGES).find(([key]) => key === name)?.[1];
  if (!range) {
    return `no such name, but ${
      [...Object.keys(RANGES), ...Object.keys(CHOICES)].join(", ")
    }`;
  }
  const [least, greatest] = range;
  const fits = typeof value === "number" && value >= least &&
    value <= greatest && (name !== "randomCrop" || Number.isSafeInteger(value));
  if (fits) return undefined;
  const kind = name === "randomCrop" ? "a whole number" : "a number";
  return `${kind} from ${least} to ${greatest}`;
}

/** Whether it moves pixels alone, which takes no time to speak of. */
export function isLight(augmentation: Augmentation): boolean {
  const {
    randomCrop: _,
    horizontalFlip: _flip,
    verticalFlip: _vertical,
    ...rest
  } = augmentation;
  return !augments(rest);
}

/** Whether it changes anything. */
export function augments(augmentation: Augmentation | undefined): boolean {
  const { padding: _, fill: _fill, ...changes } = augmentation ?? {};
  return Object.values(changes).some((value) => value !== 0 && Boolean(value));
}
