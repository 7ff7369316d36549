import { GapcamError } from "../error.ts";
import type { Region } from "../image/fit_image.ts";
import { checkFloatMap, type FloatMap } from "../image/float_map.ts";
import { checkSize } from "../image/image.ts";
import { regionPixels } from "./_over_region.ts";
import { mapSampler } from "./_sample_map.ts";

/** Options of {@linkcode evidenceBox}. */
export interface EvidenceBoxOptions {
  /** Share of the greatest value that counts, in (0, 1]. Default: 0.2. */
  share?: number;
  /** The part of the image that the map lies on. Default: all. */
  region?: Region;
}

/** Finer than any map; a box of more pixels is found on this many a side. */
const FINEST = 512;

/**
 * The box around what speaks for a class: the places above a share of the map's
 * maximum, of which the largest part that hangs together is taken (corners
 * touch too). With a fifth, section 3.2 of Zhou, Khosla, Lapedriza, Oliva and
 * Torralba, "Learning Deep Features for Discriminative Localization", CVPR 2016.
 *
 * @param map The raw map.
 * @param image The sides of the image that it lies on.
 * @param options Which share, and on which part the map lies.
 * @returns The box in whole pixels of the image; undefined where nothing speaks
 * for the class.
 * @throws {GapcamError} If a value is not finite, or an option is out of range.
 *
 * @example The right half
 * ```ts
 * import { evidenceBox } from "@gapcam/gapcam/cam";
 *
 * const data = Float32Array.of(0, 0, 9, 9);
 * const map = { height: 1, width: 4, data };
 * const box = evidenceBox(map, { height: 10, width: 40 }, { share: 0.5 });
 * if (box?.left !== 20 || box.width !== 20) throw new Error();
 * ```
 */
export function evidenceBox(
  map: FloatMap,
  image: { readonly height: number; readonly width: number },
  options: EvidenceBoxOptions = {},
): Region | undefined {
  checkFloatMap(map, "box map");
  checkSize(image.height, image.width, "box map");
  const { share = 0.2 } = options;
  if (!(share > 0 && share <= 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot box map: found a share of ${share}, expected a number above 0, ` +
        "at most 1",
    );
  }
  const region = options.region ?? { top: 0, left: 0, ...image };
  const part = regionPixels(region, image);
  const height = Math.min(part.height, FINEST);
  const width = Math.min(part.width, FINEST);
  const down = part.height / height;
  const across = part.width / width;
  const values = new Float32Array(height * width);
  const sample = mapSampler(map, width, {
    left: (part.x - region.left) / across,
    top: (part.y - region.top) / down,
    width: region.width / across,
    height: region.height / down,
  });
  for (let y = 0; y < height; y++) {
    sample(y, values.subarray(y * width, (y + 1) * width));
  }
  const greatest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!Number.isFinite(greatest)) {
    throw new GapcamError(
      "bad-data",
      `Cannot box map: found a maximum of ${greatest}, expected finite numbers`,
    );
  }
  if (greatest <= 0) return undefined;
  const largest = largestPart(values, width, share * greatest);
  const left = part.x + Math.floor(largest.left * across);
  const top = part.y + Math.floor(largest.top * down);
  return {
    top,
    left,
    height: part.y + Math.ceil((largest.bottom + 1) * down) - top,
    width: part.x + Math.ceil((largest.right + 1) * across) - left,
  };
}

/** The ends of the largest connected part whose values reach a least one. */
function largestPart(
  values: Float32Array,
  width: number,
  least: number,
): { left: number; top: number; right: number; bottom: number } {
  const height = values.length / width;
  const wanted = Uint8Array.from(values, (value) => value >= least ? 1 : 0);
  const stack = new Int32Array(values.length);
  let best = { size: 0, left: 0, top: 0, right: 0, bottom: 0 };
  for (let start = 0; start < wanted.length; start++) {
    if (!wanted[start]) continue;
    const part = { size: 0, left: width, top: height, right: 0, bottom: 0 };
    let open = 0;
    stack[open++] = start;
    wanted[start] = 0;
    while (open > 0) {
      const at = stack[--open]!;
      const x = at % width;
      const y = (at - x) / width;
      part.size++;
      part.left = Math.min(part.left, x);
      part.right = Math.max(part.right, x);
      part.top = Math.min(part.top, y);
      part.bottom = Math.max(part.bottom, y);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const next = v * width + u;
          if (!wanted[next]) continue;
          wanted[next] = 0;
          stack[open++] = next;
        }
      }
    }
    if (part.size > best.size) best = part;
  }
  return best;
}
