/**
 * What the page costs a training: images a second without it, with `--watch`,
 * with a browser that has the page open, and with one that also asks for the map
 * of a photograph every two seconds, in turn, as ratios of a round; and the
 * processor time that each takes, of which the machine's other work takes
 * nothing away. With `log`: how long a log of a million lines takes to be read.
 *
 *     deno run -A scripts/watching_speed.ts [ROUNDS] [KIND ...] [FLAGS OF train]
 *     deno run -A scripts/watching_speed.ts log
 *
 * On a machine that does nothing else; processor times are Linux's.
 *
 * @module
 */

import { encodePng, readRunLog } from "../mod.ts";
import { RunsWatcher } from "../src/watch/runs_watcher.ts";
import { chromiumPath } from "../tests/watch/_chromium.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const KINDS = ["without", "watched", "open", "asked"] as const;
type Kind = typeof KINDS[number];
const words = Deno.args.filter((word) => !word.startsWith("-"));
const ROUNDS = Number(words.find((word) => /^\d+$/.test(word)) ?? 3);
const ASKED = KINDS.filter((kind) => words.includes(kind));
const FLAGS = Deno.args.filter((word) => word.startsWith("-"));

/** A photograph of noise. */
const PHOTOGRAPH = encodePng({
  width: 640,
  height: 480,
  channels: 3,
  data: Uint8Array.from({ length: 640 * 480 * 3 }, (_, i) => i * i),
});

/** What one training came to. */
interface Measured {
  /** Images a second. */
  rate: number;
  /** Seconds of processors that the page's thread took, of a second. */
  page: number;
  /** The same of the browser. */
  browser: number;
}

const browser = chromiumPath();
const folder = await Deno.makeTempDir();
/** Trains in turn in each way, and says what it came to. */
async function compare(): Promise<void> {
  const kinds = (ASKED.length > 0 ? ["without" as const, ...ASKED] : KINDS)
    .filter((kind, i, all) => all.indexOf(kind) === i)
    .filter((kind) => browser || kind === "without" || kind === "watched");
  const all = new Map(kinds.map((kind): [Kind, Measured[]] => [kind, []]));
  for (let round = 0; round < ROUNDS; round++) {
    // Whose turn it is first changes, as the machine does.
    for (const at of kinds.keys()) {
      const kind = kinds[(at + round) % kinds.length]!;
      const one = await measure(kind, `${folder}/${round}-${kind}`);
      all.get(kind)!.push(one);
      console.log(`${round + 1} ${kind}: ${one.rate.toFixed(1)} images/s`);
    }
  }
  const base = all.get("without")!;
  for (const [kind, found] of all) {
    const ratio = median(found.map(({ rate }, i) => rate / base[i]!.rate));
    const share = (what: "page" | "browser") =>
      (100 * median(found.map((one) => one[what])) /
        navigator.hardwareConcurrency).toFixed(2);
    console.log(
      `${kind}: ${
        median(found.map(({ rate }) => rate)).toFixed(1)
      } images/s, ` +
        `${(100 * (ratio - 1)).toFixed(2)} %; of all processors the page's ` +
        `thread took ${share("page")} %, the browser ${share("browser")} %`,
    );
  }
}

/**
 * Trains: the rate over the intervals of the run, but for the first half, in which a browser starts, and
 * processor times from when a browser has loaded the page.
 */
async function measure(kind: Kind, run: string): Promise<Measured> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "task",
      "-q",
      "train",
      ...(FLAGS.length > 0 ? FLAGS : [
        "--dataset=shapes",
        "--model=32,32,M,64,64,M,128",
        "--image-size=48",
        "--epochs=6",
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
  const times = new ProcessorTimes();
  const watching = setInterval(
    () => times.look(child.pid, page?.pid),
    200,
  );
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
  clearInterval(watching);
  page?.kill("SIGKILL");
  await page?.status;
  if (code !== 0) throw new Error(`the training ended with ${code}: ${text}`);
  const intervals = readRunLog(`${run}/log.jsonl`).flatMap((event) =>
    event.event === "interval" ? event.imagesPerSecond : []
  );
  return {
    rate: median(intervals.slice(Math.ceil(intervals.length / 2))),
    page: times.share("page"),
    browser: times.share("browser"),
  };
}

/** A browser has started and loaded the page after that. */
const STARTED_MS = 8000;

/** Linux counts processor time in such parts of a second. */
const TICKS = 100;

/** Processor time of a training's page and of the browser that shows it. */
class ProcessorTimes {
  #begun = NaN;
  readonly #first = new Map<string, number>();
  readonly #last = new Map<string, number>();
  #passed = 0;

  /** Takes the times as they are now. */
  look(training: number, browser: number | undefined): void {
    if (Number.isNaN(this.#begun)) this.#begun = performance.now();
    const passed = performance.now() - this.#begun;
    if (passed < STARTED_MS) return;
    this.#passed = (passed - STARTED_MS) / 1000;
    const parents = parentsOfProcesses();
    const below = (pid: number, root: number | undefined): boolean =>
      pid === root || pid > 1 && below(parents.get(pid) ?? 0, root);
    for (const pid of parents.keys()) {
      if (below(pid, browser)) this.#take(`browser ${pid}`, `/proc/${pid}`);
      else if (below(pid, training)) {
        for (const thread of namesIn(`/proc/${pid}/task`)) {
          this.#take(`page ${thread}`, `/proc/${pid}/task/${thread}`);
        }
      }
    }
  }

  /** Seconds of processors of a second. */
  share(what: "page" | "browser"): number {
    let seconds = 0;
    for (const [name, last] of this.#last) {
      if (name.startsWith(what)) seconds += last - this.#first.get(name)!;
    }
    return this.#passed > 0 ? seconds / this.#passed : 0;
  }

  #take(name: string, folder: string): void {
    const found = statOf(folder);
    // Of the training's threads Deno names workers.
    if (!found || name.startsWith("page") && !/^worker-/.test(found.name)) {
      return;
    }
    if (!this.#first.has(name)) this.#first.set(name, found.seconds);
    this.#last.set(name, found.seconds);
  }
}

function parentsOfProcesses(): Map<number, number> {
  return new Map(
    namesIn("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
      const found = statOf(`/proc/${name}`);
      return found ? [[Number(name), found.parent] as const] : [];
    }),
  );
}

/** What Linux says of a process or of a thread; undefined if it has ended. */
function statOf(
  folder: string,
): { name: string; parent: number; seconds: number } | undefined {
  try {
    const text = Deno.readTextFileSync(`${folder}/stat`);
    const [open, close] = [text.indexOf("("), text.lastIndexOf(")")];
    const rest = text.slice(close + 2).split(" ").map(Number);
    return {
      name: text.slice(open + 1, close),
      parent: rest[1]!,
      seconds: (rest[11]! + rest[12]!) / TICKS,
    };
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
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

try {
  if (words.includes("log")) {
    const seconds = await loading();
    console.log(`a log of a million lines: ${seconds.toFixed(2)} s`);
  } else await compare();
} finally {
  await Deno.remove(folder, { recursive: true });
}
