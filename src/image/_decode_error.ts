import { GapcamError } from "../error.ts";

/** What a decoder is told besides the bytes. */
export interface DecodeLimits {
  /** The largest `height * width`. */
  maxPixels: number;
  /** What to name in an error. */
  source: string;
  /** RGB that transparent pixels are laid on; alpha is dropped if undefined. */
  background?: readonly [number, number, number] | undefined;
}

/** Says that a file is damaged. */
export function badImage(
  source: string,
  found: string,
  expected: string,
  cause?: unknown,
): GapcamError {
  return new GapcamError(
    "bad-data",
    `Cannot read ${source}: found ${found}, expected ${expected}`,
    cause === undefined ? undefined : { cause },
  );
}

/** Says that a file is of a kind that is not read. */
export function unsupportedImage(
  source: string,
  found: string,
  expected: string,
): GapcamError {
  return new GapcamError(
    "unsupported",
    `Cannot read ${source}: found ${found}, expected ${expected}`,
  );
}

/** As libpng has it; a JPEG cannot say more than 65,535. */
const LONGEST_SIDE = 1_000_000;

/** Checks sides from a header before memory is taken for them. */
export function checkSides(
  height: number,
  width: number,
  { maxPixels, source }: DecodeLimits,
): void {
  if (height < 1 || width < 1) {
    throw badImage(source, `${height}x${width} pixels`, "positive sides");
  }
  if (Math.max(height, width) > LONGEST_SIDE) {
    throw badImage(
      source,
      `${height}x${width} pixels`,
      `at most ${LONGEST_SIDE} a side`,
    );
  }
  if (height * width > maxPixels) {
    throw badImage(
      source,
      `${height}x${width} pixels`,
      `at most ${maxPixels} in all`,
    );
  }
}
