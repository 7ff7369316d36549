import { GapcamError } from "../error.ts";
import { elementCount } from "../host_tensor.ts";

/** What an IDX file holds: unsigned bytes and their dimensions. */
export interface IdxArray {
  /** Dimensions, outermost first. */
  readonly shape: readonly number[];
  /** Values; a view of the parsed bytes. */
  readonly data: Uint8Array;
}

/**
 * Parses an IDX file of unsigned bytes, the format of MNIST
 * (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").
 *
 * @param bytes The file, unpacked.
 * @param source What to name in an error, such as a path.
 * @returns The array; its data is a view, not a copy.
 * @throws {GapcamError} If the magic number, the type or the length is wrong.
 *
 * @example Three bytes in one dimension
 * ```ts
 * import { parseIdx } from "./idx.ts";
 *
 * const { shape } = parseIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9));
 * if (shape[0] !== 3) throw new Error();
 * ```
 */
export function parseIdx(bytes: Uint8Array, source = "IDX data"): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  function fail(found: string, expected: string): never {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${source}: found ${found}, expected ${expected}`,
    );
  }
  if (bytes.length < 4) fail(`${bytes.length} bytes`, "an IDX header");
  const magic = view.getUint32(0);
  if (magic >>> 16 !== 0 || ((magic >>> 8) & 0xff) !== 8) {
    fail(
      `magic number 0x${magic.toString(16).padStart(8, "0")}`,
      "0x000008NN (IDX of unsigned bytes)",
    );
  }
  const rank = magic & 0xff;
  if (rank < 1 || rank > 4) fail(`${rank} dimensions`, "1 to 4");
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    fail(`${bytes.length} bytes`, `a header of ${start}`);
  }
  const shape = Array.from(
    { length: rank },
    (_, i) => view.getUint32(4 + 4 * i),
  );
  const count = elementCount(shape);
  if (bytes.length - start !== count) {
    fail(
      `${bytes.length - start} bytes of data`,
      `${count} for [${shape.join(", ")}]`,
    );
  }
  return { shape, data: bytes.subarray(start) };
}
