import { GapcamError } from "../error.ts";

/** A whole file; its absence and the like as one sentence. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    throw new GapcamError(
      missing ? "not-found" : "io",
      `Cannot read ${path}: ${missing ? "no such file" : osReason(error)}`,
      { cause: error },
    );
  }
}

/** What the system said, without its number and the path, which we say. */
export function osReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/ \(os error \d+\).*$/s, "");
}
