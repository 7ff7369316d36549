import type { Image } from "./image.ts";
import type { Interpolation } from "./preprocessing.ts";

/** A rectangle of whole pixels. */
export interface PixelWindow {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** For each output position, the first input and the weights of a few from there on. */
interface Taps {
  /** First input of each output. */
  readonly first: Int32Array;
  /** How many inputs each output has. */
  readonly count: Int32Array;
  /** Fixed-point weights, `stride` places for each output. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** Pillow's filters: how far each reaches, and its value at a distance. */
const FILTERS: Readonly<
  Record<
    Interpolation,
    { reach: number; at: (distance: number) => number }
  >
> = {
  bilinear: { reach: 1, at: (x) => x < 1 ? 1 - x : 0 },
  // Keys' cubic convolution with a = -0.5.
  bicubic: {
    reach: 2,
    at: (x) =>
      x < 1
        ? (1.5 * x - 2.5) * x * x + 1
        : x < 2
        ? (((x - 5) * x + 8) * x - 4) * -0.5
        : 0,
  },
};

const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);

/**
 * The part `window` of what an image of `height` x `width` would be that the
 * whole was resized to, as Pillow does. Only what the window needs is computed: a
 * line of 30,000 x 1 pixels that is to cover a square grows to gigabytes, its
 * middle does not.
 */
export function resizeWindow(
  image: Image,
  { height, width }: { height: number; width: number },
  { window, interpolation }: {
    window: PixelWindow;
    interpolation: Interpolation;
  },
): Image {
  return resizeBy(image, {
    rows: tapsOf(image.height, {
      offset: 0,
      scale: image.height / height,
      start: window.top,
      count: window.height,
    }, interpolation),
    columns: tapsOf(image.width, {
      offset: 0,
      scale: image.width / width,
      start: window.left,
      count: window.width,
    }, interpolation),
  });
}

/** A rectangle of an image, which may begin and end within pixels, resized. */
export function resizeRegion(
  image: Image,
  region: PixelWindow,
  { height, width }: { height: number; width: number },
): Image {
  return resizeBy(image, {
    rows: tapsOf(image.height, {
      offset: region.top,
      scale: region.height / height,
      start: 0,
      count: height,
    }, "bilinear"),
    columns: tapsOf(image.width, {
      offset: region.left,
      scale: region.width / width,
      start: 0,
      count: width,
    }, "bilinear"),
  });
}

function resizeBy(
  image: Image,
  { rows, columns }: { rows: Taps; columns: Taps },
): Image {
  const { channels } = image;
  const height = rows.first.length;
  const width = columns.first.length;
  const needed = cut(image, rows, columns);
  let data = channels === 4 ? premultiply(needed.data) : needed.data;
  if (columns.weights.length > 0) {
    data = resizeRows(data, needed.height, needed.width, {
      channels,
      taps: columns,
    });
  }
  if (rows.weights.length > 0) {
    data = resizeColumns(data, width * channels, rows);
  }
  if (channels === 4) unpremultiply(data);
  return { width, height, channels, data };
}

/** The part of an image that taps reach, which are then made to count from it. */
function cut(image: Image, rows: Taps, columns: Taps): Image {
  const top = fromFirst(rows);
  const left = fromFirst(columns);
  const { channels } = image;
  if (top.count === image.height && left.count === image.width) return image;
  const rowLength = left.count * channels;
  const data = new Uint8Array(top.count * rowLength);
  for (let y = 0; y < top.count; y++) {
    const from = ((top.start + y) * image.width + left.start) * channels;
    data.set(image.data.subarray(from, from + rowLength), y * rowLength);
  }
  return { height: top.count, width: left.count, channels, data };
}

function fromFirst({ first, count }: Taps): { start: number; count: number } {
  const start = first[0]!;
  const last = first.length - 1;
  const end = first[last]! + count[last]!;
  for (let i = 0; i < first.length; i++) first[i] = first[i]! - start;
  return { start, count: end - start };
}

/** Outputs `start` to `start + count - 1`, each `scale` inputs from the next. */
interface Outputs {
  /** Where the first output of all begins, in inputs. */
  offset: number;
  scale: number;
  start: number;
  count: number;
}

/** What outputs take of a line of inputs; no weights if they are the inputs. */
function tapsOf(
  length: number,
  outputs: Outputs,
  interpolation: Interpolation,
): Taps {
  const filter = FILTERS[interpolation];
  const { offset, scale } = outputs;
  const shrink = 1 / Math.max(scale, 1);
  const support = filter.reach * Math.max(scale, 1);
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputs.count);
  const count = new Int32Array(outputs.count);
  if (scale === 1 && Number.isInteger(offset)) {
    first.forEach((_, i) => first[i] = offset + outputs.start + i);
    return { first, count: count.fill(1), weights: new Int32Array(0), stride };
  }
  const weights = new Int32Array(outputs.count * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < outputs.count; i++) {
    const centre = offset + (outputs.start + i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), length);
    let sum = 0;
    for (let k = 0; k < end - start; k++) {
      exact[k] = filter.at(Math.abs((k + start - centre + 0.5) * shrink));
      sum += exact[k]!;
    }
    first[i] = start;
    count[i] = end - start;
    for (let k = 0; k < end - start; k++) {
      const weight = sum === 0 ? exact[k]! : exact[k]! / sum;
      weights[i * stride + k] = Math.trunc(
        (weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION_BITS),
      );
    }
  }
  return { first, count, weights, stride };
}

function resizeRows(
  data: Uint8Array,
  height: number,
  width: number,
  { channels, taps }: { channels: number; taps: Taps },
): Uint8Array {
  const { first, count, weights, stride } = taps;
  const target = new Uint8Array(height * first.length * channels);
  let at = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * channels;
    for (let x = 0; x < first.length; x++) {
      let source = row + first[x]! * channels;
      const start = x * stride;
      const end = start + count[x]!;
      if (channels === 1) {
        let sum = HALF;
        for (let k = start; k < end; k++) {
          sum = (sum + Math.imul(data[source++]!, weights[k]!)) | 0;
        }
        target[at++] = toByte(sum);
        continue;
      }
      // One walk for all colours: the loop that photos spend their time in.
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let alpha = HALF;
      for (let k = start; k < end; k++) {
        const weight = weights[k]!;
        red = (red + Math.imul(data[source]!, weight)) | 0;
        green = (green + Math.imul(data[source + 1]!, weight)) | 0;
        blue = (blue + Math.imul(data[source + 2]!, weight)) | 0;
        if (channels === 4) {
          alpha = (alpha + Math.imul(data[source + 3]!, weight)) | 0;
        }
        source += channels;
      }
      target[at] = toByte(red);
      target[at + 1] = toByte(green);
      target[at + 2] = toByte(blue);
      if (channels === 4) target[at + 3] = toByte(alpha);
      at += channels;
    }
  }
  return target;
}

function resizeColumns(
  data: Uint8Array,
  rowLength: number,
  { first, count, weights, stride }: Taps,
): Uint8Array {
  const target = new Uint8Array(first.length * rowLength);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < first.length; y++) {
    // Enlarging takes of two rows: no sums need be kept.
    if (count[y] === 2) {
      const upper = weights[y * stride]!, lower = weights[y * stride + 1]!;
      const from = first[y]! * rowLength;
      for (let i = 0, to = y * rowLength; i < rowLength; i++, to++) {
        target[to] = toByte(
          (HALF + Math.imul(data[from + i]!, upper) +
            Math.imul(data[from + rowLength + i]!, lower)) | 0,
        );
      }
      continue;
    }
    sums.fill(HALF);
    for (let k = 0; k < count[y]!; k++) {
      const weight = weights[y * stride + k]!;
      const row = (first[y]! + k) * rowLength;
      for (let i = 0; i < rowLength; i++) {
        sums[i] = sums[i]! + Math.imul(data[row + i]!, weight);
      }
    }
    const row = y * rowLength;
    for (let i = 0; i < rowLength; i++) target[row + i] = toByte(sums[i]!);
  }
  return target;
}

function toByte(sum: number): number {
  // A cubic overshoots at edges, both ways.
  return Math.max(0, Math.min(sum >> PRECISION_BITS, 255));
}

function premultiply(data: Uint8Array): Uint8Array {
  const target = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = data[i + c]! * alpha + 128;
      target[i + c] = ((product >> 8) + product) >> 8;
    }
    target[i + 3] = alpha;
  }
  return target;
}

function unpremultiply(data: Uint8Array): void {
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    if (alpha === 0 || alpha === 255) continue;
    for (let c = 0; c < 3; c++) {
      data[i + c] = Math.min(Math.trunc(255 * data[i + c]! / alpha), 255);
    }
  }
}
