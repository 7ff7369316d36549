import { GapcamError } from "../error.ts";
import { outline, type Rectangle } from "../image/_canvas.ts";
import { colormap, type ColormapName } from "../image/colormap.ts";
import type { FloatMap } from "../image/float_map.ts";
import type { Region } from "../image/fit_image.ts";
import type { Image } from "../image/image.ts";
import { mix } from "../image/overlay.ts";
import { toRgb } from "../image/to_rgb.ts";
import { mapSampler } from "./_sample_map.ts";

/** Sides of a part that has no line around it. */
const SMALL = 8;

/** How dark what the network did not look at gets. */
const DIMMED = 0.4;

/** How a map is painted over a part of an image. */
export interface RegionColours {
  /** The part. */
  region: Region;
  /** The raw values of the first and the last colour. */
  range: readonly [first: number, last: number];
  /** Share of the colours. */
  alpha: number;
  colormap: ColormapName;
  /** Whether the share grows with the distance from the middle. Default: false. */
  fade?: boolean;
}

/**
 * Paints a map over the part of an image that the network looked at, dims the
 * rest, and draws a thin line around the part. Row by row: a photograph's map
 * in all its pixels would take more memory than the photograph.
 *
 * @param options `region` may reach beyond the image, as where bars were added.
 * @throws {GapcamError} If the region lies beside the image.
 */
export function overRegion(
  image: Image,
  map: FloatMap,
  options: RegionColours,
): Image {
  const { region, range: [first, last], alpha, fade = false } = options;
  const { height, width } = image;
  const box = regionPixels(region, image);
  const { data: pixels } = toRgb(image);
  const whole = box.width === width && box.height === height;
  const data = pixels.map((level) => Math.round(level * DIMMED));
  const canvas = { width, height, channels: 3 as const, data };
  const sample = mapSampler(map, box.width, {
    left: box.x - region.left,
    top: box.y - region.top,
    width: region.width,
    height: region.height,
  });
  const colours = colormap(options.colormap);
  const values = new Float32Array(box.width);
  for (let y = 0; y < box.height; y++) {
    sample(y, values);
    for (let x = 0; x < values.length; x++) {
      values[x] = (values[x]! - first) / (last - first);
    }
    const start = ((box.y + y) * width + box.x) * 3;
    const end = start + 3 * box.width;
    mix(pixels.subarray(start, end), values, {
      target: data.subarray(start, end),
      colours,
      alpha,
      fade,
    });
  }
  // A line around a part of a few pixels would hide it.
  if (!whole && Math.min(box.width, box.height) > SMALL) {
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
export function regionPixels(
  region: Region,
  image: { readonly height: number; readonly width: number },
): Rectangle {
  const { left, top, width, height } = region;
  if (
    !(width > 0 && height > 0 && left < image.width && top < image.height &&
      left + width > 0 && top + height > 0)
  ) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot overlay map: found a region of ${height} x ${width} at row ` +
        `${top}, column ${left}, expected one that lies on the image's ` +
        `${image.height} x ${image.width} pixels`,
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
  const wanted = Math.max(0, Math.ceil(start - 0.5 - 1e-6));
  const first = Math.min(wanted, length - 1);
  const end = Math.ceil(start + count - 0.5 - 1e-6);
  return { first, count: Math.max(1, Math.min(end, length) - first) };
}
