import type { Random } from "../../random.ts";
import { between, type Pixels } from "./_pixels.ts";

/**
 * Covers a rectangle, as torchvision's `RandomErasing`: 2 % to 33 % of the area,
 * a ratio of height to width between 0.3 and 3.3; nothing where ten tries do
 * not fit.
 *
 * @param fill A level for each channel.
 */
export function erase(
  { data, height, width, channels }: Pixels,
  random: Random,
  fill: readonly number[],
): void {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * between(random, 0.02, 0.33);
    const ratio = Math.exp(between(random, Math.log(0.3), Math.log(3.3)));
    const rows = Math.round(Math.sqrt(area * ratio));
    const columns = Math.round(Math.sqrt(area / ratio));
    if (rows < 1 || columns < 1 || rows >= height || columns >= width) continue;
    const top = random.integer(height - rows + 1);
    const left = random.integer(width - columns + 1);
    for (let y = top; y < top + rows; y++) {
      for (let x = left; x < left + columns; x++) {
        const at = (y * width + x) * channels;
        for (let channel = 0; channel < channels; channel++) {
          data[at + channel] = fill[channel] ?? fill[0] ?? 0;
        }
      }
    }
    return;
  }
}
