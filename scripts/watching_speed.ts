/**
 * What the page costs a training: images a second without it, with `--watch`,
 * and with a browser that has the page open, each several times in turn.
 *
 *     deno run -A scripts/watching_speed.ts [ROUNDS] [FLAGS OF train]
 *
 * On a machine that does nothing else.
 *
 * @module
 */

import { readRunLog } from "../mod.ts";
import { chromiumPath } from "../tests/watch/_chromium.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const KINDS = ["without", "watched", "open"] as const;
const ROUNDS = /^\d+$/.test(Deno.args[0] ?? "") ? Number(Deno.args[0]) : 3;
const FLAGS = Deno.args.slice(ROUNDS === Number(Deno.args[0]) ? 1 : 0);

const browser = chromiumPath();
const folder = await Deno.makeTempDir();
const rates: Record<string, number[]> = { without: [], watched: [], open: [] };
try {
  for (let round = 1; round <= ROUNDS; round++) {
    for (const kind of KINDS) {
      if (kind === "open" && !browser) continue;
      const rate = await measure(kind, `${folder}/${round}-${kind}`);
      rates[kind]!.push(rate);
      console.log(`${round} ${kind}: ${rate.toFixed(1)} images/s`);
    }
  }
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
  const profile = `${folder}/profile`;
  for await (
    const part of child.stdout.pipeThrough(new TextDecoderStream())
  ) {
    text += part;
    const url = /Watch it learn: (\S+)/.exec(text)?.[1];
    if (kind !== "open" || !url || page) continue;
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
  page?.kill("SIGKILL");
  await page?.status;
  if (code !== 0) throw new Error(`the training ended with ${code}: ${text}`);
  const intervals = readRunLog(`${run}/log.jsonl`).flatMap((event) =>
    event.event === "interval" ? event.imagesPerSecond : []
  );
  return median(intervals.slice(Math.ceil(intervals.length / 5)));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
