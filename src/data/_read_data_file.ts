import { exists, osReason } from "../_files.ts";
import { zlib } from "../_node.ts";
import { GapcamError } from "../error.ts";

/**
 * Reads a file, unpacking it if its name ends in `.gz`.
 *
 * @param limit The most bytes that it may hold, unpacked; a larger file is
 * refused before it is read.
 * @throws {GapcamError} If it cannot be read, is larger or is damaged.
 */
export function readDataFile(path: string, limit: number): Uint8Array {
  let bytes: Uint8Array;
  try {
    const { size } = Deno.statSync(path);
    if (!path.endsWith(".gz") && size > limit) {
      throw new GapcamError(
        "bad-data",
        `Cannot read ${path}: it has ${size} bytes, expected at most ${limit}`,
      );
    }
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof GapcamError) throw error;
    throw new GapcamError("io", `Cannot read ${path}: ${osReason(error)}`, {
      cause: error,
    });
  }
  if (!path.endsWith(".gz")) return bytes;
  try {
    return zlib().gunzipSync(bytes, { maxOutputLength: limit });
  } catch (error) {
    const code = (error as { code?: string }).code;
    throw new GapcamError(
      "bad-data",
      code === "ERR_BUFFER_TOO_LARGE"
        ? `Cannot read ${path}: unpacked it has more than ${limit} bytes`
        : `Cannot unpack ${path}: it is truncated or damaged; fetch it again`,
      { cause: error },
    );
  }
}

/** The first of `names` that exists in `folder`. */
export function findFile(
  folder: string,
  names: readonly string[],
): string | undefined {
  return names.map((name) => `${folder}/${name}`).find((path) => exists(path));
}
