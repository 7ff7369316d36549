import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";

/** Pixels that are not compressed at all fit, up to the limit of their number. */
const MOST_BYTES = 2 ** 30;

/**
 * Reads a file that may be a picture. Only a file: a pipe or a device could
 * keep the reader waiting or go on for ever.
 */
export function readPictureBytes(path: string | URL): Uint8Array {
  const source = String(path);
  try {
    const info = Deno.statSync(path);
    if (!info.isFile) {
      throw fail(source, `found ${kindOf(info)}, expected a file`);
    }
    if (info.size > MOST_BYTES) {
      throw fail(
        source,
        `found ${info.size} bytes, expected at most ${MOST_BYTES}`,
      );
    }
    return Deno.readFileSync(path);
  } catch (cause) {
    if (cause instanceof GapcamError) throw cause;
    if (cause instanceof Deno.errors.NotFound) {
      throw new GapcamError(
        "not-found",
        `Cannot read ${source}: no such file`,
        { cause },
      );
    }
    if (cause instanceof Deno.errors.NotCapable) {
      throw new GapcamError(
        "not-allowed",
        `Cannot read ${source}: Deno's permission to read it is missing`,
        { cause },
      );
    }
    throw fail(source, osReason(cause), cause);
  }
}

function fail(source: string, reason: string, cause?: unknown): GapcamError {
  return new GapcamError("io", `Cannot read ${source}: ${reason}`, { cause });
}

function kindOf(info: Deno.FileInfo): string {
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a named pipe";
  if (info.isSocket) return "a socket";
  return info.isCharDevice || info.isBlockDevice ? "a device" : "no file";
}
