import { osReason } from "../_files.ts";
import { GapcamError } from "../error.ts";

/** So much of a log's beginning tells it from another: it holds the time. */
const HEAD_BYTES = 256;

/** How far a log was read: always to the end of a line. */
interface Place {
  bytes: number;
  lines: number;
  /** Which file that was. */
  file: number | null;
  /** How it begins. */
  head: string;
}

const BEGINNING: Place = { bytes: 0, lines: 0, file: null, head: "" };

/** What was added to a log. */
export interface AddedLines {
  /** Whole lines without their ends. */
  readonly lines: string[];
  /** Number of the first of them, from 1. */
  readonly first: number;
  /** Whether all lines before are of a file that is gone. */
  readonly replaced: boolean;
  /** Whether there is more to be read now. */
  readonly more: boolean;
}

/**
 * Reads a log bit by bit, as lines are added to it. A line is read once it is
 * whole; a file that takes the place of another is read from its beginning.
 */
export class LogTail {
  readonly #path: string;
  #place = BEGINNING;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The lines that were added since the last call; none where there is no file.
   *
   * @param most Bytes to read at once, at most; a line is read whole all the
   * same. Default: all.
   * @throws {GapcamError} If the file cannot be read.
   */
  async next(most = Infinity): Promise<AddedLines> {
    const since = this.#place;
    try {
      using file = await Deno.open(this.#path, { read: true });
      const { size, ino } = await file.stat();
      const head = await textOf(file, 0, Math.min(HEAD_BYTES, size));
      const same = size >= since.bytes && head.startsWith(since.head) &&
        (since.file === null || since.file === ino);
      const place = same ? since : BEGINNING;
      const { bytes, end } = await linesOf(file, place.bytes, size, most);
      const lines = new TextDecoder().decode(bytes.subarray(0, end))
        .split("\n").slice(0, -1);
      this.#place = {
        bytes: place.bytes + end,
        lines: place.lines + lines.length,
        file: ino,
        // No more than was read: a line that is cut may become another.
        head: head.slice(0, Math.min(HEAD_BYTES, place.bytes + end)),
      };
      return {
        lines,
        first: place.lines + 1,
        replaced: !same,
        more: end > 0 && place.bytes + bytes.length < size,
      };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) {
        this.#place = BEGINNING;
        return { lines: [], first: 1, replaced: since.bytes > 0, more: false };
      }
      throw new GapcamError(
        "io",
        `Cannot read run log ${this.#path}: ${osReason(error)}`,
        { cause: error },
      );
    }
  }
}

/** At least one whole line, if there is one, and where the last of them ends. */
async function linesOf(
  file: Deno.FsFile,
  from: number,
  to: number,
  most: number,
): Promise<{ bytes: Uint8Array; end: number }> {
  for (let length = most;; length *= 2) {
    const bytes = await bytesOf(file, from, Math.min(to, from + length));
    const end = bytes.lastIndexOf(10) + 1;
    if (end > 0 || bytes.length < length) return { bytes, end };
  }
}

/** A character for each byte. */
async function textOf(
  file: Deno.FsFile,
  from: number,
  to: number,
): Promise<string> {
  return String.fromCharCode(...await bytesOf(file, from, to));
}

async function bytesOf(
  file: Deno.FsFile,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(to - from);
  await file.seek(from, Deno.SeekMode.Start);
  let done = 0;
  while (done < bytes.length) {
    const count = await file.read(bytes.subarray(done));
    // It was cut meanwhile.
    if (!count) break;
    done += count;
  }
  return bytes.subarray(0, done);
}
