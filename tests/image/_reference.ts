import sharp from "npm:sharp@^0.35.5";
import type { Image } from "../../src/image/image.ts";

/** The folder of the fixtures that scripts/fixtures/image_*.py wrote. */
export const FIXTURES = new URL("../fixtures/image/", import.meta.url);

interface Reference {
  resize: {
    height: number;
    width: number;
    channels: 1 | 3 | 4;
    data: string;
    toHeight: number;
    toWidth: number;
    expected: string;
    bicubic: string;
  }[];
  resizeMap: {
    height: number;
    width: number;
    data: string;
    toHeight: number;
    toWidth: number;
    expected: string;
  }[];
  overlay: {
    classIndex: number;
    features: { shape: number[]; data: string };
    weight: { shape: number[]; data: string };
  };
}

/** What Pillow and scikit-image gave. */
export const reference: Reference = JSON.parse(
  Deno.readTextFileSync(new URL("reference.json", FIXTURES)),
);

/** Bytes from base 64. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Little-endian floats from base 64. */
export function floatsOf(text: string): Float32Array {
  return new Float32Array(bytesOf(text).buffer as ArrayBuffer);
}

/** Decodes a PNG with its alpha, by a decoder that is not ours. */
export async function decodeReference(bytes: Uint8Array): Promise<Image> {
  const { depth, channels } = await sharp(bytes).metadata();
  if (depth !== "uchar") throw new Error(`depth ${depth}`);
  const { data, info } = await sharp(bytes)
    .toColourspace(channels === 1 ? "b-w" : "srgb").raw()
    .toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    channels: info.channels as Image["channels"],
    data: Uint8Array.from(data),
  };
}

/** The largest absolute difference; not a number if lengths differ. */
export function largestDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): number {
  if (a.length !== b.length) return NaN;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

/** A smooth picture with some noise, so that every PNG filter is chosen somewhere. */
export function testImage(
  height: number,
  width: number,
  channels: Image["channels"],
): Image {
  let state = height * 31 + width * 7 + channels;
  const data = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        const noise = state >>> 24;
        const kinds = [noise, 3 * x + 2 * y + 40 * c, (x * y) >> 2, noise & 3];
        data[(y * width + x) * channels + c] = kinds[(y >> 3) & 3]!;
      }
    }
  }
  return { height, width, channels, data };
}
