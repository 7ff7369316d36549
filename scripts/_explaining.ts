/**
 * Computes the maps that a page asks for, in a worker.
 *
 * @module
 */

import { GapcamError, type GapcamErrorCode } from "../src/error.ts";
import type {
  CellChoice,
  ExplainedCell,
  ExplainedPhotograph,
  Explaining,
  GivenPhotograph,
} from "../src/watch/explaining.ts";
import type { DeviceChoice } from "./_device_flags.ts";
import type {
  ExplainingAnswer,
  ExplainingQuestion,
} from "./_explaining_messages.ts";

/** After so long without a question the network's memory is given back. */
const IDLE_MS = 120_000;

/** So many questions may wait. */
const MOST_WAITING = 8;

/** A worker that starts with the first question, and ends when none comes. */
export class ExplainingWorker implements Explaining, Disposable {
  readonly #device: DeviceChoice;
  #worker: Worker | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #number = 0;
  readonly #waiting = new Map<number, {
    resolve: (value: ExplainedPhotograph | ExplainedCell) => void;
    reject: (error: Error) => void;
  }>();

  /** @param device Where to compute. */
  constructor(device: DeviceChoice) {
    this.#device = device;
  }

  async photograph(
    folder: string,
    photograph: GivenPhotograph,
  ): Promise<ExplainedPhotograph> {
    return await this.#ask({ folder, photograph }) as ExplainedPhotograph;
  }

  async cell(folder: string, cell: CellChoice): Promise<ExplainedCell> {
    return await this.#ask({ folder, cell }) as ExplainedCell;
  }

  /** Ends the worker; whoever waits is told so. */
  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#fail("gapcam ends");
  }

  #ask(
    question:
      | { folder: string; photograph: GivenPhotograph }
      | { folder: string; cell: CellChoice },
  ): Promise<ExplainedPhotograph | ExplainedCell> {
    if (this.#waiting.size >= MOST_WAITING) {
      throw new GapcamError(
        "busy",
        `Cannot compute another map: ${MOST_WAITING} others are waited for; ` +
          "ask again in a moment",
      );
    }
    clearTimeout(this.#idle);
    const worker = this.#worker ??= this.#start();
    const id = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...question } satisfies ExplainingQuestion);
    });
  }

  #start(): Worker {
    const worker = new Worker(
      new URL("_explaining_worker.ts", import.meta.url),
      { type: "module" },
    );
    worker.addEventListener("message", ({ data }) => this.#answered(data));
    worker.addEventListener("error", (event) => {
      // It is started again for the next question.
      event.preventDefault();
      worker.terminate();
      this.#worker = undefined;
      this.#fail(event.message);
    });
    worker.postMessage({ device: this.#device });
    return worker;
  }

  #answered(answer: ExplainingAnswer): void {
    const asked = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("value" in answer) asked?.resolve(answer.value);
    else {
      const { code, message } = answer.error;
      asked?.reject(
        code === ""
          ? new Error(message)
          : new GapcamError(code as GapcamErrorCode, message),
      );
    }
    if (this.#waiting.size > 0) return;
    this.#idle = setTimeout(() => this[Symbol.dispose](), IDLE_MS);
    // The process may end meanwhile.
    (this.#idle as unknown as { unref(): void }).unref();
  }

  #fail(reason: string): void {
    for (const { reject } of this.#waiting.values()) {
      reject(new GapcamError("io", `Cannot compute a map: ${reason}`));
    }
    this.#waiting.clear();
  }
}
