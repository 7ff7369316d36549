import { evidenceBox } from "../../cam/evidence_box.ts";
import type { Region } from "../../image/fit_image.ts";
import type { FloatMap } from "../../image/float_map.ts";

/**
 * How well the box around what speaks for a class fits where the class lies:
 * intersection over union, as localisation is judged in section 3.2 of Zhou et
 * al., "Learning Deep Features for Discriminative Localization", CVPR 2016. The
 * map's box is that of `evidenceBox()`, above a fifth of the maximum.
 *
 * @param map The map, of any size.
 * @param boxes Where its class lies; the one that fits best counts.
 * @param image The image's sides.
 * @returns From 0 to 1; 0 where nothing speaks for the class.
 */
export function boxOverlap(
  map: FloatMap,
  boxes: readonly Region[],
  image: { readonly height: number; readonly width: number },
): number {
  const found = evidenceBox(map, image);
  if (!found) return 0;
  return Math.max(0, ...boxes.map((box) => intersectionOverUnion(found, box)));
}

function intersectionOverUnion(a: Region, b: Region): number {
  const shared = overlap(a.left, a.width, b.left, b.width) *
    overlap(a.top, a.height, b.top, b.height);
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** How long two lines, each a start and a length, lie on each other. */
function overlap(
  start: number,
  length: number,
  other: number,
  otherLength: number,
): number {
  const end = Math.min(start + length, other + otherLength);
  return Math.max(0, end - Math.max(start, other));
}
