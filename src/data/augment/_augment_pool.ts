import type { Worker } from "node:worker_threads";
import { workerThreads } from "../../_node.ts";
import { GapcamError } from "../../error.ts";
import type { AugmentedJob, AugmentJob } from "./_augment_worker.ts";
import type { AugmentImagesOptions } from "./augment_images.ts";

/** So many threads keep up with a GPU. */
const MOST_THREADS = 8;

interface PoolThread {
  worker: Worker;
  /** Jobs that it has not answered. */
  waiting: Map<number, PromiseWithResolvers<AugmentedJob>>;
}

const threads: PoolThread[] = [];
let jobs = 0;

/**
 * Changes images as {@linkcode augmentImages} does, on threads that all loaders
 * share; they start when first needed and do not keep the process alive.
 */
export async function augmentOnThreads(
  images: Uint8Array,
  shape: { height: number; width: number; channels: number },
  options: AugmentImagesOptions,
): Promise<void> {
  const { height, width, channels } = shape;
  const size = height * width * channels;
  const count = options.indices.length;
  // A thread on each core: threads that compute the network wait for each other,
  // and those on one core would keep the others waiting.
  const wanted = Math.min(count, MOST_THREADS, navigator.hardwareConcurrency);
  while (threads.length < wanted) threads.push(start());
  const length = Math.ceil(count / wanted);
  await Promise.all(
    threads.slice(0, wanted).map(async (thread, i) => {
      const first = i * length, end = Math.min(count, first + length);
      if (first >= end) return;
      const part = images.subarray(first * size, end * size);
      const done = await run(thread, {
        id: jobs++,
        images: part.slice().buffer,
        // No more of it: what it belongs to may not travel.
        shape: { height, width, channels },
        options: {
          ...options,
          indices: Array.from(options.indices).slice(first, end),
          ...(options.occurrences
            ? { occurrences: Array.from(options.occurrences).slice(first, end) }
            : {}),
        },
      });
      if (done.failure !== undefined) throw failure(done.failure);
      part.set(new Uint8Array(done.images));
    }),
  );
}

async function run(
  { worker, waiting }: PoolThread,
  job: AugmentJob,
): Promise<AugmentedJob> {
  const answer = Promise.withResolvers<AugmentedJob>();
  // Only unanswered work keeps the process alive.
  if (waiting.size === 0) worker.ref();
  waiting.set(job.id, answer);
  worker.postMessage(job, [job.images]);
  return await answer.promise;
}

function start(): PoolThread {
  const { Worker } = workerThreads();
  const worker = new Worker(new URL("./_augment_worker.ts", import.meta.url));
  const thread: PoolThread = { worker, waiting: new Map() };
  worker.on("message", (done: AugmentedJob) => {
    thread.waiting.get(done.id)?.resolve(done);
    thread.waiting.delete(done.id);
    if (thread.waiting.size === 0) worker.unref();
  });
  const lost = (reason: string) => {
    const at = threads.indexOf(thread);
    if (at >= 0) threads.splice(at, 1);
    for (const answer of thread.waiting.values()) {
      answer.reject(failure(reason));
    }
    thread.waiting.clear();
  };
  worker.on("error", (error: Error) => lost(error.message));
  worker.on("exit", () => lost("its thread ended"));
  worker.unref();
  return thread;
}

function failure(reason: string): GapcamError {
  return new GapcamError("internal", `Cannot augment images: ${reason}`);
}
