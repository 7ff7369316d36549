import { checkImage, checkSize, type Image } from "./image.ts";

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

const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);

/**
 * Resizes an image with a triangle filter, byte for byte as Pillow's
 * `Image.resize(..., BILINEAR)`: bilinear interpolation when enlarging,
 * an average over the pixels that shrink into one when shrinking.
 *
 * Two passes, first along rows, then along columns, each rounded to 8 bits.
 * Pillow 13 and later take the columns first where the height shrinks much more
 * than the width, which moves some values by a level. Colours of an image with
 * alpha are weighted by it.
 *
 * @param image The image.
 * @param height Rows of the result, at least 1.
 * @param width Columns of the result, at least 1.
 * @returns A new image; the image itself if it has that size already.
 * @throws {GapcamError} If the image does not hold what its sides say, or a
 * side is not a positive whole number.
 *
 * @example Shrinking averages
 * ```ts
 * import { resizeBilinear } from "@gapcam/gapcam";
 *
 * const image = { width: 2, height: 1, channels: 1, data: Uint8Array.of(0, 100) } as const;
 * if (resizeBilinear(image, 1, 1).data[0] !== 50) throw new Error();
 * ```
 */
export function resizeBilinear(
  image: Image,
  height: number,
  width: number,
): Image {
  checkImage(image, "resize image");
  checkSize(height, width, "resize image");
  if (image.height === height && image.width === width) return image;
  const { channels } = image;
  let data = channels === 4 ? premultiply(image.data) : image.data;
  if (image.width !== width) {
    const taps = triangleTaps(image.width, width);
    data = resizeRows(data, image.height, image.width, { channels, taps });
  }
  if (image.height !== height) {
    const taps = triangleTaps(image.height, height);
    data = resizeColumns(data, width * channels, taps);
  }
  if (channels === 4) unpremultiply(data);
  return { width, height, channels, data };
}

function triangleTaps(from: number, to: number): Taps {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), from);
    let sum = 0;
    for (let k = 0; k < end - start; k++) {
      const distance = Math.abs((k + start - centre + 0.5) * (1 / support));
      exact[k] = distance < 1 ? 1 - distance : 0;
      sum += exact[k]!;
    }
    first[i] = start;
    count[i] = end - start;
    for (let k = 0; k < end - start; k++) {
      const weight = sum === 0 ? exact[k]! : exact[k]! / sum;
      weights[i * stride + k] = Math.trunc(
        0.5 + weight * (1 << PRECISION_BITS),
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
  return Math.min(sum >> PRECISION_BITS, 255);
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
