/**
 * What the page costs a training: images a second without it, with `--watch`,
 * with a browser that has the page open, and with one that also asks for the map
 * of a photograph every two seconds, each several times in turn. Then how long a
 * log of a million lines takes to be read.
 *
 *     deno run -A scripts/watching_speed.ts [ROUNDS] [FLAGS OF train]
 *
 * On a machine that does nothing else.
 *
 * @module
 */

import { encodePng, readRunLog } from "../mod.ts";
import { RunsWatcher } from "../src/watch/runs_watcher.ts";
import { chromiumPath } from "../tests/watch/_chromium.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const KINDS = ["without", "watched", "open", "asked"] as const;
const ROUNDS = /^\d+$/.test(Deno.args[0] ?? "") ? Number(Deno.args[0]) : 3;
const FLAGS = Deno.args.slice(ROUNDS === Number(Deno.args[0]) ? 1 : 0);

/** A photograph of noise. */
const PHOTOGRAPH = encodePng({
  width: 640,
  height: 480,
  channels: 3,
  data: Uint8Array.from({ length: 640 * 480 * 3 }, (_, i) => i * i),
});

const browser = chromiumPath();
const folder = await Deno.makeTempDir();
const rates: Record<string, number[]> = {
  without: [],
  watched: [],
  open: [],
  asked: [],
};
try {
  for (let round = 1; round <= ROUNDS; round++) {
    for (const kind of KINDS) {
      if ((kind === "open" || kind === "asked") && !browser) continue;
      const rate = await measure(kind, `${folder}/${round}-${kind}`);
      rates[kind]!.push(rate);
      console.log(`${round} ${kind}: ${rate.toFixed(1)} images/s`);
    }
  }
  const seconds = await loading();
  console.log(`a log of a million lines: ${seconds.toFixed(2)} s`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
const base = median(rates.without!);
for (const kind of KINDS) {
  const rate = median(rates[kind]!);
  if (Number.isNaN(rate)) console.log(`${kind}: not measured, no Chromium`);
  else {
    const change = 100 * (rate / base - 1);
    console.log(
      `${kind}: ${rate.toFixed(1)} images/s, ${change.toFixed(2)} %`,
    );
  }
}

/** Images a second over the intervals of a run, but for the first fifth. */
async function measure(
  kind: typeof KINDS[number],
  run: string,
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "task",
      "-q",
      "train",
      ...(FLAGS.length > 0 ? FLAGS : [
        "--dataset=shapes",
        "--model=32,32,M,64,64,M,128",
        "--image-size=48",
        "--epochs=3",
        "--log-every=2",
        "--test-limit=100",
      ]),
      `--out=${run}`,
      ...(kind === "without" ? [] : ["--watch=0"]),
    ],
    cwd: ROOT,
    env: { INIT_CWD: ROOT },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let page: Deno.ChildProcess | undefined;
  let asking: ReturnType<typeof setInterval> | undefined;
  const profile = `${folder}/profile`;
  for await (
    const part of child.stdout.pipeThrough(new TextDecoderStream())
  ) {
    text += part;
    const url = /Watch it learn: (\S+)/.exec(text)?.[1];
    if (!(kind === "open" || kind === "asked") || !url || page) continue;
    if (kind === "asked") asking = setInterval(() => ask(url, run), 2000);
    page = new Deno.Command(browser!, {
      args: [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1280,900",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        url,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
  }
  const { code } = await child.status;
  clearInterval(asking);
  page?.kill("SIGKILL");
  await page?.status;
  if (code !== 0) throw new Error(`the training ended with ${code}: ${text}`);
  const intervals = readRunLog(`${run}/log.jsonl`).flatMap((event) =>
    event.event === "interval" ? event.imagesPerSecond : []
  );
  return median(intervals.slice(Math.ceil(intervals.length / 5)));
}

/** Asks for the map of a photograph, as somebody does who drops one. */
async function ask(url: string, run: string): Promise<void> {
  const id = run.slice(run.lastIndexOf("/") + 1);
  try {
    const response = await fetch(
      new URL(`/api/runs/${id}/photograph?name=a.png`, url),
      { method: "POST", body: PHOTOGRAPH },
    );
    await response.body?.cancel();
  } catch {
    // The training has ended.
  }
}

/** How long a log of a million lines takes to be read and thinned, in seconds. */
async function loading(): Promise<number> {
  const run = `${folder}/runs/long`;
  await Deno.mkdir(run, { recursive: true });
  {
    using file = Deno.openSync(`${run}/log.jsonl`, {
      write: true,
      create: true,
    });
    for (let i = 0; i < 1e6; i += 1e4) {
      const lines = Array.from({ length: 1e4 }, (_, j) => longLine(i + j + 1));
      file.writeSync(new TextEncoder().encode(lines.join("")));
    }
  }
  const start = performance.now();
  const watcher = new RunsWatcher(`${folder}/runs`);
  await watcher.read();
  const { loss } = watcher.run("long")!.data().series;
  const seconds = (performance.now() - start) / 1000;
  if (loss.steps.at(-1) !== 1e7) throw new Error("not all was read");
  return seconds;
}

function longLine(number: number): string {
  return JSON.stringify({
    event: "interval",
    time: new Date(1.79e12 + 120 * number).toISOString(),
    epoch: Math.ceil(number / 1000),
    step: 10 * ((number - 1) % 1000 + 1),
    stepsPerEpoch: 10_000,
    totalSteps: 10 * number,
    loss: 2 * Math.exp(-number / 3e5) + 0.1 * Math.random(),
    accuracy: Math.random(),
    learningRate: 0.004 * Math.random(),
    imagesPerSecond: 8000 + 100 * Math.random(),
  }) + "\n";
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
