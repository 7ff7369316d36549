import type { Worker } from "node:worker_threads";
import { workerThreads } from "../_node.ts";
import { GapcamError } from "../error.ts";
import type { DecodedJob, DecodeJob, FitOfFiles } from "./_decode_worker.ts";

/** Files that could not be decoded: place in the list, reason. */
export type Failures = readonly (readonly [number, string])[];

interface PoolWorker {
  thread: Worker;
  /** Jobs that it has not answered. */
  waiting: Map<number, PromiseWithResolvers<DecodedJob>>;
}

// Large enough that messages cost little, small enough to share evenly.
const MOST_IN_A_JOB = 32;

/** Decodes image files on threads of their own, started when first needed. */
export class DecodePool {
  readonly #size: number;
  readonly #count: number;
  readonly #fit: FitOfFiles;
  readonly #workers: PoolWorker[] = [];
  // Buffers travel with the jobs and come back: steady use allocates none.
  readonly #spare: ArrayBuffer[] = [];
  #jobs = 0;
  #closed = false;

  /**
   * @param size Height and width of the decoded images.
   * @param workers Number of threads.
   * @param fit How pictures are brought to that size.
   */
  constructor(size: number, workers: number, fit: FitOfFiles = {}) {
    this.#size = size;
    this.#fit = fit;
    this.#count = workers;
  }

  /**
   * Decodes files, in order, to RGB images side by side in `target`; one that
   * cannot be decoded is black.
   */
  async decode(
    paths: readonly string[],
    target: Uint8Array,
  ): Promise<Failures> {
    const length = Math.min(
      MOST_IN_A_JOB,
      Math.ceil(paths.length / (2 * this.#count)),
    );
    const imageBytes = this.#size * this.#size * 3;
    const failures: [number, string][] = [];
    const jobs: Promise<void>[] = [];
    for (let start = 0; start < paths.length; start += length) {
      const part = paths.slice(start, start + length);
      jobs.push(
        this.#run(part).then((done) => {
          const pixels = new Uint8Array(
            done.pixels,
            0,
            part.length * imageBytes,
          );
          target.set(pixels, start * imageBytes);
          this.#spare.push(done.pixels);
          if (done.fatal) {
            throw new GapcamError(done.fatal.code, done.fatal.message);
          }
          for (const [i, reason] of done.failures) {
            failures.push([start + i, reason]);
          }
        }),
      );
    }
    await Promise.all(jobs);
    return failures.sort((a, b) => a[0] - b[0]);
  }

  /** Ends the threads. */
  close(): void {
    this.#closed = true;
    for (const worker of this.#workers.splice(0)) {
      this.#fail(worker, "the data set was closed");
      worker.thread.terminate();
    }
  }

  async #run(paths: string[]): Promise<DecodedJob> {
    if (this.#closed) throw failure("the data set was closed");
    const worker = this.#leastBusy();
    const length = MOST_IN_A_JOB * this.#size * this.#size * 3;
    const pixels = this.#spare.pop() ?? new ArrayBuffer(length);
    const job: DecodeJob = {
      id: this.#jobs++,
      paths,
      size: this.#size,
      fit: this.#fit,
      pixels,
    };
    const answer = Promise.withResolvers<DecodedJob>();
    // Only unanswered work keeps the process alive.
    if (worker.waiting.size === 0) worker.thread.ref();
    worker.waiting.set(job.id, answer);
    worker.thread.postMessage(job, [pixels]);
    return await answer.promise;
  }

  #leastBusy(): PoolWorker {
    const idle = this.#workers.find((worker) => worker.waiting.size === 0);
    if (idle) return idle;
    if (this.#workers.length < this.#count) return this.#start();
    return this.#workers.reduce((best, worker) =>
      worker.waiting.size < best.waiting.size ? worker : best
    );
  }

  #start(): PoolWorker {
    const { Worker } = workerThreads();
    const thread = new Worker(new URL("./_decode_worker.ts", import.meta.url));
    const worker: PoolWorker = { thread, waiting: new Map() };
    thread.on("message", (done: DecodedJob) => {
      worker.waiting.get(done.id)?.resolve(done);
      worker.waiting.delete(done.id);
      if (worker.waiting.size === 0) thread.unref();
    });
    const lost = (reason: string) => {
      const at = this.#workers.indexOf(worker);
      if (at >= 0) this.#workers.splice(at, 1);
      this.#fail(worker, reason);
    };
    thread.on("error", (error: Error) => lost(error.message));
    thread.on("exit", () => lost("a decoder thread ended"));
    this.#workers.push(worker);
    return worker;
  }

  #fail(worker: PoolWorker, reason: string): void {
    for (const answer of worker.waiting.values()) {
      answer.reject(failure(reason));
    }
    worker.waiting.clear();
  }
}

function failure(reason: string): GapcamError {
  return new GapcamError("internal", `Cannot decode images: ${reason}`);
}
