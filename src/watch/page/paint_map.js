import { COLOURS } from "./colours.js";

/** Share of the colours, as `deno task cam` has it. */
const ALPHA = 0.6;

/** A map that is the same everywhere to so much of itself colours nothing. */
const FLAT = 0.05;

const table = bytesOf(COLOURS);

/**
 * Paints an image with the evidence of a map over it: on a scale from zero to
 * the greatest value of it or of the answer's map, as `deno task cam` does.
 *
 * @param canvas What to paint on; it gets the image's size.
 * @param image The loaded picture.
 * @param map A map of a film.
 * @param peak The greatest absolute value of the answer's map.
 */
export function paintMap(canvas, image, map, peak) {
  const width = Math.max(96, image.naturalWidth);
  const height = Math.max(
    1,
    Math.round(width * image.naturalHeight / image.naturalWidth),
  );
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = image.naturalWidth >= 64;
  context.drawImage(image, 0, 0, width, height);
  const greatest = Math.max(Math.abs(map.from), Math.abs(map.to));
  if (map.to - map.from <= FLAT * greatest) return;
  const last = Math.max(1, peak, greatest);
  const levels = bytesOf(map.levels);
  const pixels = context.getImageData(0, 0, width, height);
  const { data } = pixels;
  const columns = Array.from(
    { length: width },
    (_, x) => between(x, width, map.width),
  );
  for (let y = 0; y < height; y++) {
    const [top, bottom, down] = between(y, height, map.height);
    for (let x = 0; x < width; x++) {
      const [left, right, over] = columns[x];
      const at = (row, column) => levels[row * map.width + column];
      const level = (1 - down) *
          ((1 - over) * at(top, left) + over * at(top, right)) +
        down * ((1 - over) * at(bottom, left) + over * at(bottom, right));
      const value = map.from + level / 255 * (map.to - map.from);
      const entry = 3 *
        Math.min(255, Math.floor(256 * Math.min(1, Math.max(0, value / last))));
      const pixel = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) {
        data[pixel + c] = (1 - ALPHA) * data[pixel + c] +
          ALPHA * table[entry + c];
      }
    }
  }
  context.putImageData(pixels, 0, 0);
}

/** Paints the colours from zero to the greatest value. */
export function paintScale(canvas) {
  canvas.width = 256;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(256, 1);
  for (let i = 0; i < 256; i++) {
    pixels.data.set(table.subarray(3 * i, 3 * i + 3), 4 * i);
    pixels.data[4 * i + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

/** The greatest absolute value of a map. */
export function peakOf(map) {
  return Math.max(Math.abs(map.from), Math.abs(map.to));
}

/** Between which two places a pixel's middle lies, and how far from the first. */
function between(pixel, pixels, places) {
  const place = Math.min(
    places - 1,
    Math.max(0, (pixel + 0.5) * places / pixels - 0.5),
  );
  const first = Math.floor(place);
  return [first, Math.min(places - 1, first + 1), place - first];
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
