import { GapcamError } from "../error.ts";
import { outline, paste, type Rectangle } from "../image/_canvas.ts";
import type { FloatMap } from "../image/float_map.ts";
import type { Region } from "../image/fit_image.ts";
import type { Image } from "../image/image.ts";
import { toRgb } from "../image/to_rgb.ts";
import { sampleMap } from "./_sample_map.ts";

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
    region: Region;
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
    left: box.x - region.left,
    top: box.y - region.top,
    width: region.width,
    height: region.height,
  });
  paste(canvas, paint(cut(rgb, box), values), box);
  if (!whole) {
    const line = Math.max(1, Math.round(Math.min(height, width) / 250));
    outline(canvas, box, [255, 255, 255], line);
  }
  return canvas;
}

/** The region of the same part of an image in another size. */
export function scaleRegion(
  region: Region,
  from: { height: number; width: number },
  to: { height: number; width: number },
): Region {
  const down = to.height / from.height;
  const across = to.width / from.width;
  return {
    top: region.top * down,
    left: region.left * across,
    height: region.height * down,
    width: region.width * across,
  };
}

/** Whether a region is all of an image, up to rounding. */
export function isWhole(
  region: Region,
  image: { height: number; width: number },
): boolean {
  return region.height > image.height - 1e-6 &&
    region.width > image.width - 1e-6;
}

/** The whole pixels whose centres lie in a region; one at least. */
function boxOf(region: Region, image: Image): Rectangle {
  const { left, top, width, height } = region;
  const slack = 1e-6;
  if (
    !(left >= -slack && top >= -slack && width > 0 && height > 0 &&
      left + width <= image.width + slack &&
      top + height <= image.height + slack)
  ) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot overlay map: found a region of ${height} x ${width} at row ` +
        `${top}, column ${left}, expected one within ${image.height} x ` +
        `${image.width} pixels`,
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
  count: number,
  length: number,
): { first: number; count: number } {
  // A millionth is rounding, not a pixel.
  const first = Math.min(Math.ceil(start - 0.5 - 1e-6), length - 1);
  const end = Math.ceil(start + count - 0.5 - 1e-6);
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
