import { evidenceOverlay } from "../../cam/evidence_overlay.ts";
import { classLabel, percent } from "../../cam/_wording.ts";
import { decodeImage } from "../../image/decode_image.ts";
import { grid } from "../../image/grid.ts";
import type { Image } from "../../image/image.ts";
import {
  type FilmedImage,
  type FilmMap,
  filmMapValues,
  type FilmTitle,
} from "../film.ts";

/** Decodes the images that a film is of. */
export async function filmImages({ images }: FilmTitle): Promise<Image[]> {
  return await Promise.all(
    images.map(({ picture }) => decodeImage(Uint8Array.fromBase64(picture))),
  );
}

/**
 * An image of a film after an epoch: itself, beside it the evidence for what it is,
 * and for what the network holds it for if that is another class. Both maps have
 * one scale.
 */
export function filmPicture(
  image: Image,
  filmed: FilmedImage,
  classes: readonly string[],
): Image {
  const { label, answer } = filmed;
  const own = classLabel(classes, label.classIndex);
  const maps = answer.classIndex === label.classIndex
    ? [label]
    : [label, answer];
  const peak = Math.max(
    ...maps.flatMap(({ from, to }) => [Math.abs(from), Math.abs(to)]),
  );
  const overlaid = (map: FilmMap) =>
    evidenceOverlay(image, {
      height: map.height,
      width: map.width,
      data: filmMapValues(map),
    }, { peak });
  return grid([image, ...maps.map(overlaid)], {
    columns: 1 + maps.length,
    labels: [
      own,
      ...maps.map((map) =>
        `${classLabel(classes, map.classIndex)} ${percent(map.probability)}`
      ),
    ],
  });
}
