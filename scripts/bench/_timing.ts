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
 * One process of one thread, one of all threads, and as many processes of one
 * thread at once, which is what this machine has to give; each measure by itself.
 *
 * @param options `load`: so many processes that do nothing but keep a core busy
 * run beside.
 */
export async function timeScaling(
  build: Build,
  options: {
    measures: readonly string[];
    rounds: number;
    steps: number;
    load: number;
    /** Is told what is timed next. */
    onTurn: (turn: { measure: string; share: number }) => void;
  },
): Promise<Record<string, Rates>> {
  await using stack = new AsyncDisposableStack();
  async function start(threads: number): Promise<Worker> {
    const worker = stack.use(await startGapcam(threads));
    await worker.ask({ ...build, threads });
    return worker;
  }
  const all = await start(build.threads);
  const alone: Worker[] = [];
  for (let i = 0; i < build.threads; i++) alone.push(await start(1));
  const { measures, rounds, steps, load } = options;
  const results: Record<string, Rates> = {};
  for (const measure of measures) {
    for (const worker of [all, ...alone]) {
      await worker.ask({ measure, steps: 1 });
    }
    using _busy = keepBusy(load);
    const rates: Required<Rates> = { one: [], all: [], apart: [] };
    for (let round = 0; round < rounds; round++) {
      options.onTurn({ measure, share: round / rounds });
      rates.one!.push(await rate(alone.slice(0, 1), { measure, steps }));
      rates.all!.push(await rate([all], { measure, steps }));
      rates.apart!.push(await rate(alone, { measure, steps }));
    }
    results[measure] = rates;
  }
  return results;
}

/** Images a second of all workers together, each at work at the same time. */
async function rate(
  workers: readonly Worker[],
  job: { measure: string; steps: number },
): Promise<number> {
  const answers = await Promise.all(workers.map((worker) => worker.ask(job)));
  return answers.reduce(
    (sum, { images, seconds }) => sum + Number(images) / Number(seconds),
    0,
  );
}

/** Processes that keep a core busy each, until they or their parent are gone. */
function keepBusy(count: number): Disposable {
  const spin = "const parent = Deno.ppid;" +
    "while (Deno.ppid === parent) for (let i = 0; i < 1e7; i++);";
  const processes = Array.from(
    { length: count },
    () =>
      new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", spin] })
        .spawn(),
  );
  return {
    [Symbol.dispose]() {
      for (const process of processes) process.kill("SIGKILL");
    },
  };
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
