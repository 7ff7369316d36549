/**
 * A line that is drawn over and over on a terminal.
 *
 * @module
 */

import { writeAll } from "./_output.ts";

const BLOCKS = " ▏▎▍▌▋▊▉█";

/** What one drawing of a {@linkcode ProgressBar} shows. */
export interface ProgressState {
  /** What comes before the bar, such as `epoch 1/4`. */
  label: string;
  /** How much of the bar is full, from 0 to 1. */
  share: number;
  /** What comes after the bar, most important first; what does not fit is left out. */
  notes: readonly string[];
}

/**
 * Draws one line of progress.
 *
 * @param columns How wide the terminal is; the line is one shorter, so that it
 * never wraps.
 */
export function formatProgress(state: ProgressState, columns: number): string {
  const width = Math.max(0, columns - 1);
  const share = Math.min(1, Math.max(0, state.share));
  const barWidth = Math.min(24, Math.max(0, width - state.label.length - 8));
  const percent = `${String(Math.floor(100 * share)).padStart(3)} %`;
  let line = `${state.label} ${percent} ${bar(share, barWidth)}`;
  for (const note of state.notes) {
    if (line.length + 2 + note.length > width) break;
    line += `  ${note}`;
  }
  return line.slice(0, width);
}

/** Writes a number of seconds as `1:02:03`, or `2:03`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

/** A progress line on a terminal, redrawn at most ten times a second. */
export class ProgressBar implements Disposable {
  readonly #stream: typeof Deno.stdout | typeof Deno.stderr;
  #drawn = -Infinity;
  #shown = false;

  /** Draws on standard output, or on another terminal. */
  constructor(stream: typeof Deno.stdout | typeof Deno.stderr = Deno.stdout) {
    this.#stream = stream;
  }

  /**
   * Draws, unless the last drawing was less than a tenth of a second ago.
   *
   * @param options `waiting`: whether what is drawn comes before something long
   * or unknown; then it is drawn, and so is the next. Default: false.
   */
  draw(state: ProgressState, options: { waiting?: boolean } = {}): void {
    const now = performance.now();
    if (!options.waiting && now - this.#drawn < 100) return;
    this.#drawn = options.waiting ? -Infinity : now;
    this.#shown = true;
    this.#write(`\r\x1b[K${formatProgress(state, columnsOf())}`);
  }

  /** Removes the line, so that others can be printed. */
  clear(): void {
    if (this.#shown) this.#write("\r\x1b[K");
    this.#shown = false;
    this.#drawn = -Infinity;
  }

  /** Removes the line. */
  [Symbol.dispose](): void {
    this.clear();
  }

  #write(text: string): void {
    try {
      writeAll(this.#stream, text);
    } catch {
      // The terminal is gone; what draws on it goes on.
    }
  }
}

function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  const full = Math.floor(eighths / 8);
  const rest = full < width ? BLOCKS[eighths % 8]! : "";
  return ("█".repeat(full) + rest).padEnd(width);
}

function columnsOf(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}
