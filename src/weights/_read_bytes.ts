import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";

/** A whole file; its absence and the like as one sentence. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    using file = await Deno.open(path);
    const { isFile, size } = await file.stat();
    // A pipe or a device: it ends where it ends.
    if (!isFile) return await Deno.readFile(path);
    // Into one buffer of the right size; Deno.readFile lets one grow, which
    // takes more than twice as long.
    const bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const read = await file.read(bytes.subarray(length));
      if (read === null) break;
      length += read;
    }
    return bytes.subarray(0, length);
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    throw new GapcamError(
      missing ? "not-found" : "io",
      `Cannot read ${path}: ${missing ? "no such file" : osReason(error)}`,
      { cause: error },
    );
  }
}
