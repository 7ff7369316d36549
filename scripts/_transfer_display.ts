import type { TransferProgress } from "../src/data/fetch_dataset.ts";

/** Where {@linkcode TransferDisplay} writes, and when it is. */
export interface DisplayTarget {
  /** Whether lines can be written over. */
  terminal: boolean;
  /** Writes text as it is. */
  write(text: string): void;
  /** The time in milliseconds. */
  now(): number;
}

const BAR = 24;

/**
 * Shows how a download goes: a bar that is written over on a terminal, a line
 * for each tenth elsewhere.
 */
export class TransferDisplay {
  readonly #target: DisplayTarget;
  #name = "";
  #start = 0;
  #from = 0;
  #shown = -Infinity;
  #tenth = 0;
  #open = false;

  /** Shows nothing until {@linkcode show} is called. */
  constructor(target: DisplayTarget) {
    this.#target = target;
  }

  /** Takes the progress after each chunk; most calls show nothing. */
  show(progress: TransferProgress): void {
    const now = this.#target.now();
    const { name, done, total } = progress;
    if (name !== this.#name) {
      this.finish();
      this.#name = name;
      this.#start = now;
      this.#from = done;
      this.#shown = -Infinity;
      this.#tenth = total ? Math.floor(10 * done / total) : 0;
    }
    const complete = done === total;
    if (this.#target.terminal) {
      if (!complete && now - this.#shown < 100) return;
      this.#shown = now;
      this.#target.write(`\r\x1b[K${this.#line(progress, now)}`);
      this.#open = true;
      return;
    }
    const tenth = total ? Math.floor(10 * done / total) : 0;
    if (tenth === this.#tenth && now - this.#shown < 30_000) return;
    // The first line says that it runs; the next ones that it goes on.
    this.#tenth = tenth;
    this.#shown = now;
    this.#target.write(`${this.#line(progress, now)}\n`);
  }

  /** Prints a line of its own between. */
  note(message: string): void {
    this.finish();
    this.#target.write(`${message}\n`);
  }

  /** Leaves the bar where it is and starts a new line. */
  finish(): void {
    if (this.#open) this.#target.write("\n");
    this.#open = false;
  }

  #line({ name, done, total }: TransferProgress, now: number): string {
    const seconds = (now - this.#start) / 1000;
    const rate = seconds > 0.2 ? (done - this.#from) / seconds : 0;
    const speed = rate > 0 ? `, ${size(rate)}/s` : "";
    if (!total) return `${name}: ${size(done)}${speed}`;
    const filled = Math.floor(BAR * done / total);
    const bar = this.#target.terminal
      ? `[${"=".repeat(filled)}${" ".repeat(BAR - filled)}] `
      : "";
    const left = rate > 0 && done < total
      ? `, ${duration((total - done) / rate)} left`
      : "";
    const percent = Math.floor(100 * done / total);
    return `${name}: ${bar}${percent} % of ${size(total)}${speed}${left}`;
  }
}

function size(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < 3; unit++) bytes /= 1000;
  return `${unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}
