/**
 * Rounds of timings.
 *
 * @module
 */

import {
  type Build,
  type Competitor,
  startGapcam,
  startTorch,
} from "./_competitors.ts";
import type { Worker } from "./_protocol.ts";
import type { Rates } from "./_report.ts";

/** Times each competitor once a round; the order turns from round to round. */
export async function timeRounds(
  competitors: readonly Competitor[],
  options: {
    measure: string;
    rounds: number;
    steps: number;
    /** Is told who is timed next. */
    onTurn: (turn: { round: number; number: number; name: string }) => void;
  },
): Promise<Rates> {
  const { measure, rounds, steps, onTurn } = options;
  const ours = competitors[0]!.worker;
  const rates: Rates = {};
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < competitors.length; i++) {
      const { name, worker, options } =
        competitors[(i + round) % competitors.length]!;
      onTurn({ round, number: i, name });
      const request = {
        measure,
        steps,
        // The others ran meanwhile, and a worker that holds one variant at a
        // time has to build it.
        warmUp: true,
        ...options,
      };
      // What others cannot do is left out: TensorFlow.js does not train.
      const answer = worker === ours
        ? await worker.ask(request)
        : await worker.attempt(request);
      if (typeof answer.seconds !== "number") continue;
      (rates[name] ??= []).push(Number(answer.images) / answer.seconds);
    }
  }
  return rates;
}

/**
 * Training in one process of one thread, in one of all threads, and in as many
 * processes of one thread at once, which is what this machine has to give.
 */
export async function timeScaling(
  build: Build,
  options: { rounds: number; steps: number },
): Promise<Rates> {
  await using stack = new AsyncDisposableStack();
  async function start(threads: number): Promise<Worker> {
    const worker = stack.use(await startGapcam(threads));
    await worker.ask({ ...build, threads });
    return worker;
  }
  const { steps } = options;
  async function rate(workers: readonly Worker[]): Promise<number> {
    const answers = await Promise.all(
      workers.map((worker) => worker.ask({ measure: "train", steps })),
    );
    return answers.reduce(
      (sum, { images, seconds }) => sum + Number(images) / Number(seconds),
      0,
    );
  }
  const all = await start(build.threads);
  const alone: Worker[] = [];
  for (let i = 0; i < build.threads; i++) alone.push(await start(1));
  for (const worker of [all, ...alone]) {
    await worker.ask({ measure: "train", steps: 1 });
  }
  const rates: Required<Rates> = { one: [], all: [], apart: [] };
  for (let round = 0; round < options.rounds; round++) {
    rates.one!.push(await rate(alone.slice(0, 1)));
    rates.all!.push(await rate([all]));
    rates.apart!.push(await rate(alone));
  }
  return rates;
}

/** Peak resident bytes of two training steps, each in a process of its own. */
export async function peakMemory(
  build: Build,
  python: string | undefined,
): Promise<Record<string, number>> {
  const peaks: Record<string, number> = {};
  async function measure(
    name: string,
    started: Promise<Worker>,
    options: Record<string, unknown>,
  ): Promise<void> {
    await using worker = await started;
    await worker.ask({ ...build });
    await worker.ask({ measure: "train", steps: 2, ...options });
    peaks[name] = Number((await worker.ask({ measure: "memory" })).peakBytes);
  }
  await measure("gapcam", startGapcam(build.threads), {});
  if (python) {
    const options = { channelsLast: true, bf16: false };
    await measure("torch f32", startTorch(python, build.threads), options);
  }
  return peaks;
}
