import type { Region } from "../../image/fit_image.ts";
import type { FloatMap } from "../../image/float_map.ts";

/** Whether a map points at what it explains. */
export interface Pointing {
  /** Whether its greatest value lies in a box. */
  readonly hit: boolean;
  /** Share of what speaks for the class that lies in a box, in [0, 1]. */
  readonly inside: number;
  /**
   * Whether the map is greater on the mean of a box of its class than of any
   * other class; undefined where the image has no other.
   */
  readonly chosen: boolean | undefined;
}

/**
 * The pointing game of Zhang, Lin, Brandt, Shen and Sclaroff, "Top-Down Neural
 * Attention by Excitation Backprop", ECCV 2016, and beside it how much of the
 * evidence lies inside (the energy-based pointing game, section 4.3 of Wang et
 * al., "Score-CAM", CVPR workshops 2020; on mosaics the localisation score of
 * Bohle et al., CVPR 2021). A map that is the same everywhere points nowhere.
 *
 * @param map The map, as high and wide as the image.
 * @param boxes Where its class lies.
 * @param options `tolerance`: pixels beside a box that still hit; `others`:
 * where other classes lie.
 */
export function pointingGame(
  map: FloatMap,
  boxes: readonly Region[],
  { tolerance, others }: { tolerance: number; others: readonly Region[] },
): Pointing {
  const { width, data } = map;
  let best = 0, least = Infinity, all = 0, inside = 0;
  const isIn = (place: number, margin: number) => {
    const x = place % width + 0.5;
    const y = Math.floor(place / width) + 0.5;
    return boxes.some((box) =>
      x >= box.left - margin && x < box.left + box.width + margin &&
      y >= box.top - margin && y < box.top + box.height + margin
    );
  };
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value > data[best]!) best = i;
    least = Math.min(least, value);
    if (!(value > 0)) continue;
    all += value;
    if (isIn(i, 0)) inside += value;
  }
  const points = data[best]! > least;
  const greatest = (some: readonly Region[]) =>
    Math.max(...some.map((box) => meanWithin(map, box)));
  return {
    hit: points && isIn(best, tolerance),
    inside: all > 0 ? inside / all : 0,
    chosen: others.length === 0
      ? undefined
      : points && greatest(boxes) > greatest(others),
  };
}

/** The mean of the values whose pixels' centres lie in a box. */
function meanWithin({ height, width, data }: FloatMap, box: Region): number {
  let sum = 0, count = 0;
  const first = Math.max(0, Math.ceil(box.left - 0.5));
  const last = Math.min(width, Math.ceil(box.left + box.width - 0.5));
  for (let y = 0; y < height; y++) {
    const middle = y + 0.5;
    if (middle < box.top || middle >= box.top + box.height) continue;
    for (let x = first; x < last; x++) sum += data[y * width + x]!;
    count += Math.max(0, last - first);
  }
  return count > 0 ? sum / count : -Infinity;
}
