import { zlib } from "../_node.ts";
import { filterRows } from "./_png_filter.ts";

/** Bytes of filtered rows that are compressed at once. */
const AT_ONCE = 2 ** 23;
/** How far back a match may lie. */
const WINDOW = 2 ** 15;
/** Greatest prime below 2^16 (RFC 1950). */
const ADLER_MODULUS = 65521;
/** So many bytes can be summed before the sums must be reduced. */
const ADLER_BLOCK = 5552;

/**
 * The zlib stream of a PNG's rows, filtered and compressed, in pieces. A large
 * image is worked on some rows at a time: with all at once it would take its
 * own memory twice more.
 */
export function* pngData(
  data: Uint8Array,
  { height, width, channels, level }: {
    height: number;
    width: number;
    channels: number;
    level: number;
  },
): Generator<Uint8Array> {
  const rows = Math.max(1, Math.floor(AT_ONCE / (width * channels + 1)));
  if (rows >= height) {
    yield zlib().deflateSync(
      filterRows(data, { first: 0, height, width, channels }),
      { level },
    );
    return;
  }
  const { deflateRawSync, constants } = zlib();
  let sums: [number, number] = [1, 0];
  let before = new Uint8Array(0);
  // Deflate with a window of 32 KB, at no level in particular.
  yield Uint8Array.of(0x78, 0x9c);
  for (let first = 0; first < height; first += rows) {
    const last = first + rows >= height;
    const stream = filterRows(data, {
      first,
      height: Math.min(rows, height - first),
      width,
      channels,
    });
    sums = adler(stream, sums);
    yield deflateRawSync(stream, {
      level,
      finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
      ...(before.length > 0 ? { dictionary: before } : {}),
    });
    before = stream.slice(-WINDOW);
  }
  const [low, high] = sums;
  yield Uint8Array.of(high >> 8, high & 255, low >> 8, low & 255);
}

/** The sums of Adler-32 (RFC 1950), continued over more bytes. */
function adler(
  bytes: Uint8Array,
  [low, high]: [number, number],
): [number, number] {
  for (let start = 0; start < bytes.length; start += ADLER_BLOCK) {
    const end = Math.min(start + ADLER_BLOCK, bytes.length);
    for (let i = start; i < end; i++) {
      low += bytes[i]!;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return [low, high];
}
