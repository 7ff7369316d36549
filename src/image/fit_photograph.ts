import { GapcamError } from "../error.ts";
import {
  fitImage,
  type FitOptions,
  fitRegion,
  type Region,
} from "./fit_image.ts";
import { checkImage, type Image } from "./image.ts";
import type { Preprocessing } from "./preprocessing.ts";

/** How a photograph is shown to a network. */
export type PhotographFit = "crop" | "stretch" | "pad" | "whole";

/** Every {@linkcode PhotographFit}. */
export const PHOTOGRAPH_FITS: readonly PhotographFit[] = [
  "crop",
  "stretch",
  "pad",
  "whole",
];

/** Options of {@linkcode fitPhotograph}. */
export interface PhotographOptions {
  /**
   * `crop`: the middle. `stretch`: all, out of proportion. `pad`: all, with bars
   * of the mean colour. `whole`: all, in its own proportions. Default: `crop`.
   */
  fit?: PhotographFit;
  /** What the sides of `whole` are multiples of, in pixels. Default: 1. */
  stride?: { readonly height: number; readonly width: number };
  /** What to name in an error, such as a path; "a photograph" if left out. */
  source?: string;
}

/** What a network sees of a photograph. */
export interface FittedPhotograph {
  /** The pixels that the network sees. */
  readonly image: Image;
  /**
   * Which part of the photograph they are, in its pixels; with `pad` the bars
   * lie beyond it. A map is drawn over this rectangle.
   */
  readonly region: Region;
}

/** How many times longer than the shorter side `whole` may make the other. */
const LONGEST = 8;

/**
 * Makes of a photograph what a network expects, and says which part of it that
 * is: one function, so that what is looked at and what is drawn agree.
 *
 * @param photograph The photograph.
 * @param preprocessing What the network expects.
 * @param options How it is fitted.
 * @returns What the network sees, with the photograph's channels, and where.
 * @throws {GapcamError} If an option is out of range, or `whole` would make a
 * side over eight times the other.
 *
 * @example A network for 224 pixels that looks at seven eighths
 * ```ts
 * import { fitPhotograph, type Image } from "@gapcam/gapcam/image";
 *
 * const data = new Uint8Array(512 * 1024);
 * const photograph = { width: 1024, height: 512, channels: 1, data } as const;
 * const { region } = fitPhotograph(photograph, {
 *   imageSize: 224, cropShare: 0.875, mean: [0.5], deviation: [0.5],
 * });
 * if (region.top !== 32 || region.left !== 288) throw new Error();
 * if (region.height !== 448 || region.width !== 448) throw new Error();
 * ```
 */
export function fitPhotograph(
  photograph: Image,
  preprocessing: Preprocessing,
  options: PhotographOptions = {},
): FittedPhotograph {
  checkImage(photograph, "fit photograph");
  const { fit = "crop" } = options;
  const { height, width } = photographSize(photograph, preprocessing, options);
  const how = fitOptions(preprocessing, fit === "whole" ? "stretch" : fit);
  return {
    image: fitImage(photograph, height, width, how),
    region: fitRegion(photograph, height, width, how),
  };
}

/** What fits a photograph to a square as a network expects it. */
export function fitOptions(
  preprocessing: Preprocessing,
  fit: "crop" | "stretch" | "pad",
): FitOptions {
  const { interpolation, cropShare } = preprocessing;
  return {
    fit,
    padding: meanColour(preprocessing),
    ...(interpolation === undefined ? {} : { interpolation }),
    ...(cropShare === undefined ? {} : { cropShare }),
  };
}

/** The height and width that {@linkcode fitPhotograph} gives. */
function photographSize(
  photograph: { height: number; width: number },
  { imageSize, cropShare = 1 }: Preprocessing,
  options: PhotographOptions,
): { height: number; width: number } {
  const { fit, stride = { height: 1, width: 1 } } = options;
  if (fit !== "whole") return { height: imageSize, width: imageSize };
  const { height, width } = photograph;
  const [long, short] = [Math.max(height, width), Math.min(height, width)];
  if (long > LONGEST * short) {
    throw new GapcamError(
      "unsupported",
      `Cannot show all of ${options.source ?? "a photograph"} in its ` +
        `proportions: found ${height} x ${width} pixels, expected a side at ` +
        `most ${LONGEST} times the other; show its middle, or pad it`,
    );
  }
  // Things are as large as where the middle is cut out of a picture this size.
  const scale = imageSize / cropShare / short;
  const side = (length: number, step: number) =>
    Math.max(1, Math.round(length * scale / step)) * step;
  return {
    height: side(height, stride.height),
    width: side(width, stride.width),
  };
}

/** What normalising makes zero: bars of it say nothing. */
function meanColour({ mean }: Preprocessing): [number, number, number] {
  const level = (channel: number) =>
    Math.max(0, Math.min(255, Math.round(255 * (mean[channel] ?? mean[0]!))));
  return [level(0), level(1), level(2)];
}
