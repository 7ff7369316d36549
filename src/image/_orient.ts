import type { Image } from "./image.ts";

/**
 * Turns an image as an EXIF orientation says: 2 to 4 mirror or turn by half,
 * 5 to 8 also swap rows and columns.
 */
export function orient(image: Image, orientation: number): Image {
  if (orientation < 2 || orientation > 8) return image;
  const { channels, data } = image;
  const swap = orientation > 4;
  const width = swap ? image.height : image.width;
  const height = swap ? image.width : image.height;
  const flipX = [2, 3, 7, 8].includes(orientation);
  const flipY = [3, 4, 6, 7].includes(orientation);
  const target = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Where this pixel was, flips being those of the stored picture.
      const storedX = swap ? y : x;
      const storedY = swap ? x : y;
      const fromX = flipX ? image.width - 1 - storedX : storedX;
      const fromY = flipY ? image.height - 1 - storedY : storedY;
      const from = (fromY * image.width + fromX) * channels;
      for (let c = 0; c < channels; c++) target[to++] = data[from + c]!;
    }
  }
  return { width, height, channels, data: target };
}
