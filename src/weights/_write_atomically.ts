import { GapcamError } from "../error.ts";
import { osReason } from "../_files.ts";

/**
 * Writes a file so that its name never stands for half of it: beside the final
 * name, through to the disk, then renamed. On failure the old file stays and
 * the new one is removed.
 *
 * @param path The final name.
 * @param chunks What to write, in order.
 * @throws {GapcamError} If the disk is full, the folder is missing, ...
 */
export async function writeAtomically(
  path: string,
  chunks: Iterable<Uint8Array>,
): Promise<void> {
  // A name of its own, so that two writers do not share one temporary file.
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      for (const chunk of chunks) {
        let written = 0;
        while (written < chunk.length) {
          written += await file.write(chunk.subarray(written));
        }
      }
      await file.sync();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new GapcamError(
      "io",
      `Cannot write ${path}: ${reason(error)}`,
      { cause: error },
    );
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "its folder does not exist";
  return osReason(error);
}
