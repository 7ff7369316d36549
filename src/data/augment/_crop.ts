import { resizeBilinear } from "../../image/resize_bilinear.ts";
import type { Random } from "../../random.ts";
import { between, type Pixels } from "./_pixels.ts";

/**
 * Moves an image by so many pixels and fills what it leaves: with black, or with
 * what mirrors show at its edges, which do not repeat (numpy's `reflect`).
 */
export function shift(
  { data, height, width, channels }: Pixels,
  by: { down: number; right: number },
  options: { scratch: Uint8Array; padding: "black" | "reflect" },
): void {
  const { down, right } = by;
  const { scratch } = options;
  scratch.set(data);
  if (options.padding === "reflect") {
    const columns = Array.from(
      { length: width },
      (_, column) => channels * reflected(column + right, width),
    );
    for (let row = 0; row < height; row++) {
      const source = reflected(row + down, height) * width * channels;
      let to = row * width * channels;
      for (const column of columns) {
        for (let channel = 0; channel < channels; channel++) {
          data[to++] = scratch[source + column + channel]!;
        }
      }
    }
    return;
  }
  data.fill(0);
  const columns = width - Math.abs(right);
  const from = Math.max(0, right), to = Math.max(0, -right);
  for (let row = 0; row < height && columns > 0; row++) {
    const source = row + down;
    if (source < 0 || source >= height) continue;
    const start = (source * width + from) * channels;
    data.set(
      scratch.subarray(start, start + columns * channels),
      (row * width + to) * channels,
    );
  }
}

/** Where mirrors at both ends show a place; they do not repeat the ends. */
export function reflected(place: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const within = ((place % period) + period) % period;
  return within < length ? within : period - within;
}

/** A rectangle of whole pixels. */
export interface CropWindow {
  top: number;
  left: number;
  height: number;
  width: number;
}

/**
 * The window of torchvision's `RandomResizedCrop`: a share of the area between
 * `scale` and 1, a ratio of width to height between 3/4 and 4/3; the middle
 * where ten tries do not fit.
 */
export function drawWindow(
  { height, width }: { height: number; width: number },
  random: Random,
  scale: number,
): CropWindow {
  const least = 3 / 4, most = 4 / 3;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * between(random, scale, 1);
    const ratio = Math.exp(between(random, Math.log(least), Math.log(most)));
    const columns = Math.round(Math.sqrt(area * ratio));
    const rows = Math.round(Math.sqrt(area / ratio));
    if (columns < 1 || rows < 1 || columns > width || rows > height) continue;
    return {
      top: random.integer(height - rows + 1),
      left: random.integer(width - columns + 1),
      height: rows,
      width: columns,
    };
  }
  const ratio = width / height;
  const columns = ratio > most ? Math.round(height * most) : width;
  const rows = ratio < least ? Math.round(width / least) : height;
  return {
    top: Math.floor((height - rows) / 2),
    left: Math.floor((width - columns) / 2),
    height: rows,
    width: columns,
  };
}

/** Cuts a window out and brings it to the old size, as Pillow resizes. */
export function resizedCrop(image: Pixels, window: CropWindow): void {
  const { data, height, width, channels } = image;
  const row = window.width * channels;
  const part = new Uint8Array(window.height * row);
  for (let y = 0; y < window.height; y++) {
    const start = ((window.top + y) * width + window.left) * channels;
    part.set(data.subarray(start, start + row), y * row);
  }
  const cut = {
    ...{ data: part, height: window.height, width: window.width },
    channels: channels as 1 | 3,
  };
  data.set(resizeBilinear(cut, height, width).data);
}
