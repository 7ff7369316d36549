import type { ClassActivationMap } from "../cam/class_activation_map.ts";
import type { Dataset } from "../data/dataset.ts";
import { fitWithin } from "../image/_fit_within.ts";
import { encodePng } from "../image/encode_png.ts";
import type { Image } from "../image/image.ts";
import type { FilmMap } from "./film.ts";

/** Images of a film. */
export const FILM_IMAGES = 8;

/** Longer side of their pictures, at most. */
const LARGEST = 160;

/**
 * The first image of each of eight classes that lie evenly apart; of fewer
 * classes several.
 *
 * @param labels A class for each image, -1 for one that cannot be read.
 */
export function chosenImages(
  labels: Int32Array,
  classes: number,
): number[] {
  const chosen: number[] = [];
  const used = new Set<number>();
  const most = Math.min(
    FILM_IMAGES,
    labels.reduce((n, l) => n + Number(l >= 0), 0),
  );
  for (let i = 0; chosen.length < most; i++) {
    const wanted =
      Math.floor(i % FILM_IMAGES * Math.max(1, classes / FILM_IMAGES)) %
      classes;
    let index = labels.findIndex((label, at) =>
      label === wanted && !used.has(at)
    );
    // Classes may have no image, or no further one.
    if (index < 0 && i < 2 * FILM_IMAGES) continue;
    if (index < 0) {
      index = labels.findIndex((label, at) => label >= 0 && !used.has(at));
    }
    used.add(index);
    chosen.push(index);
  }
  return chosen;
}

/** All classes that an image of several shows. */
export function shownClasses(
  { targets, classes }: Pick<Dataset, "targets" | "classes">,
  index: number,
): number[] {
  return classes.flatMap((_, i) =>
    targets![index * classes.length + i] === 1 ? i : []
  );
}

/** A map in 8 bits. */
export function filmMap(
  { classIndex, map, proof }: ClassActivationMap,
  probability: number,
): FilmMap {
  const { height, width, data } = map;
  const from = data.reduce((a, b) => Math.min(a, b));
  const to = data.reduce((a, b) => Math.max(a, b));
  const range = to - from || 1;
  const levels = Uint8Array.from(
    data,
    (value) => Math.round(255 * (value - from) / range),
  );
  return {
    classIndex,
    probability,
    logit: proof.logit,
    height,
    width,
    from,
    to,
    levels: levels.toBase64(),
  };
}

/** How an image looks, small enough for a film. */
export function pictureOf(image: Image): string {
  const side = Math.max(image.height, image.width);
  return encodePng(side > LARGEST ? fitWithin(image, LARGEST) : image)
    .toBase64();
}
