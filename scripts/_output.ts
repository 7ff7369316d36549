/**
 * What people are told while a command runs.
 *
 * @module
 */

import { osReason } from "../src/_files.ts";

const streams = { stdout: Deno.stdout, stderr: Deno.stderr };

/**
 * Lines that may fail to be written: a terminal that was closed or a full disk
 * behind `> log` must not end hours of training.
 */
export class Output {
  readonly #stream: typeof Deno.stdout | typeof Deno.stderr | undefined;
  #failure: string | undefined;

  /** Writes to one of the process's streams, or nowhere. */
  constructor(stream: keyof typeof streams | "nowhere") {
    this.#stream = stream === "nowhere" ? undefined : streams[stream];
  }

  /** Why the first line that was lost could not be written, if one was. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Writes a line. */
  line(text: string): void {
    if (!this.#stream) return;
    try {
      writeAll(this.#stream, `${text}\n`);
    } catch (error) {
      // Who stops reading (`| head -1`) has seen enough.
      if (error instanceof Deno.errors.BrokenPipe) return;
      this.#failure ??= osReason(error);
    }
  }
}

/** Writes text to a stream as it is, whole. */
export function writeAll(
  stream: { writeSync(bytes: Uint8Array): number },
  text: string,
): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) {
    done += stream.writeSync(bytes.subarray(done));
  }
}
