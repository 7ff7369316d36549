/**
 * `--augment`: names of random changes, some with a number.
 *
 * @module
 */

import type { Augmentation } from "../src/data/augment/augmentation.ts";
import { GapcamError } from "../src/error.ts";
import type { TrainingConfig } from "../src/train/training_config.ts";

/** The numbers by name: what they are in an augmentation, and what a bare name means. */
const NUMBERS: Readonly<Record<string, readonly [keyof Augmentation, number]>> =
  {
    "resized-crop": ["resizedCrop", 0.35],
    rotate: ["rotate", 15],
    translate: ["translate", 0.1],
    zoom: ["zoom", 0.1],
    shear: ["shear", 10],
    brightness: ["brightness", 0.4],
    contrast: ["contrast", 0.4],
    saturation: ["saturation", 0.4],
    hue: ["hue", 0.1],
    erase: ["erase", 0.25],
  };

const SWITCHES = [
  "flip",
  "alternating-flip",
  "vertical-flip",
  "reflect",
  "trivial",
  "none",
];

/** For `--help`. */
export const AUGMENT_HELP = `random changes to training images: ${
  ["flip", "crop=PIXELS", "reflect", "alternating-flip", "vertical-flip"]
    .join(", ")
}, ${
  Object.keys(NUMBERS).map((name) => `${name}=N`).join(", ")
}, jitter=N (the first three of colour), trivial, none`;

/** What of a configuration the flag says. */
export type AugmentChoice = Partial<
  Pick<TrainingConfig, "flip" | "crop" | "augmentation">
>;

/**
 * Reads `flip,crop=4,rotate=15`; `crop` alone is 4 pixels, as is usual for
 * 32 x 32.
 *
 * @throws {GapcamError} If a part is none of the names, or its number is none.
 */
export function parseAugment(text: string | undefined): AugmentChoice {
  if (text === undefined) return {};
  const changes: Record<string, unknown> = {};
  let flip: TrainingConfig["flip"] = false;
  let crop = 0;
  for (const part of text.split(",").map((one) => one.trim())) {
    const [name, number] = splitPart(part);
    if (name === "flip") flip = true;
    else if (name === "alternating-flip") flip = "alternating";
    else if (name === "crop") crop = number ?? 4;
    else if (name === "reflect") changes.padding = "reflect";
    else if (name === "vertical-flip") changes.verticalFlip = true;
    else if (name === "trivial") changes.trivialAugment = true;
    else if (name === "jitter") {
      const most = number ?? 0.4;
      Object.assign(changes, {
        brightness: most,
        contrast: most,
        saturation: most,
      });
    } else if (NUMBERS[name]) {
      const [key, usual] = NUMBERS[name];
      changes[key] = number ?? usual;
    }
  }
  return { flip, crop, augmentation: changes };
}

function splitPart(part: string): [string, number | undefined] {
  const [, name = "", text] = /^([a-z-]*)(?:=(\d+(?:\.\d+)?))?$/.exec(part) ??
    [];
  const takesNumber = name === "crop" || name === "jitter" ||
    Object.hasOwn(NUMBERS, name);
  const number = text === undefined ? undefined : Number(text);
  const fits = takesNumber ||
    (SWITCHES.includes(name) && number === undefined);
  if (fits && !(name === "crop" && !Number.isInteger(number ?? 0))) {
    return [name, number];
  }
  throw new GapcamError(
    "invalid-argument",
    `Cannot augment by ${JSON.stringify(part)}: expected ${
      [...SWITCHES, "crop=PIXELS", "jitter=N"].join(", ")
    }, ${
      Object.keys(NUMBERS).map((one) => `${one}=N`).join(", ")
    }, separated by commas`,
  );
}
