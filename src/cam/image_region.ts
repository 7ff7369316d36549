import { GapcamError } from "../error.ts";
import { outline, paste, type Rectangle } from "../image/_canvas.ts";
import type { FloatMap } from "../image/float_map.ts";
import type { Image } from "../image/image.ts";
import { toRgb } from "../image/to_rgb.ts";
import { sampleMap } from "./_sample_map.ts";

/** A part of an image, its sides and place as shares of the image's. */
export interface ImageRegion {
  /** Left edge, in `[0, 1)`. */
  readonly left: number;
  /** Upper edge, in `[0, 1)`. */
  readonly top: number;
  /** In `(0, 1]`. */
  readonly width: number;
  /** In `(0, 1]`. */
  readonly height: number;
}

/** How dark what the network did not look at gets. */
const DIMMED = 0.4;

/**
 * Paints a map over the part of an image that the network looked at, dims the
 * rest, and draws a thin line around the part.
 *
 * @throws {GapcamError} If the region reaches beyond the image.
 */
export function overRegion(
  image: Image,
  map: FloatMap,
  options: {
    region: ImageRegion;
    /** Lays the map's values at the part's pixels over the part. */
    paint: (part: Image, values: FloatMap) => Image;
  },
): Image {
  const { region, paint } = options;
  const { height, width } = image;
  const box = boxOf(region, image);
  const rgb = toRgb(image);
  const whole = box.width === width && box.height === height;
  const canvas = {
    ...rgb,
    channels: 3 as const,
    data: rgb.data.map((level) => Math.round(level * DIMMED)),
  };
  const values = sampleMap(map, box.height, box.width, {
    left: box.x - region.left * width,
    top: box.y - region.top * height,
    width: region.width * width,
    height: region.height * height,
  });
  paste(canvas, paint(cut(rgb, box), values), box);
  if (!whole) {
    const line = Math.max(1, Math.round(Math.min(height, width) / 250));
    outline(canvas, box, [255, 255, 255], line);
  }
  return canvas;
}

/** The whole pixels whose centres lie in a region. */
function boxOf(region: ImageRegion, image: Image): Rectangle {
  const { left, top, width, height } = region;
  if (
    !(left >= 0 && top >= 0 && width > 0 && height > 0 &&
      left + width <= 1 + 1e-9 && top + height <= 1 + 1e-9)
  ) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot overlay map: found a region of ${height} x ${width} at ${top}, ` +
        `${left}, expected shares of the image, from 0 to 1`,
    );
  }
  const across = pixelsOf(left, width, image.width);
  const down = pixelsOf(top, height, image.height);
  return {
    x: across.first,
    y: down.first,
    width: across.count,
    height: down.count,
  };
}

function pixelsOf(
  start: number,
  share: number,
  length: number,
): { first: number; count: number } {
  // A billionth is rounding, not a pixel.
  const first = Math.min(Math.ceil(start * length - 0.5 - 1e-9), length - 1);
  const end = Math.ceil((start + share) * length - 0.5 - 1e-9);
  return { first, count: Math.max(1, Math.min(end, length) - first) };
}

function cut(image: Image, box: Rectangle): Image {
  const data = new Uint8Array(box.height * box.width * 3);
  for (let row = 0; row < box.height; row++) {
    const from = ((box.y + row) * image.width + box.x) * 3;
    data.set(
      image.data.subarray(from, from + box.width * 3),
      row * box.width * 3,
    );
  }
  return { width: box.width, height: box.height, channels: 3, data };
}
