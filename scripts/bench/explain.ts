/**
 * Times maps beside pytorch-grad-cam: ResNet-18 at 224 x 224. The two take turns,
 * a batch each, and the best and the median round are printed.
 *
 * Run: deno run -A scripts/bench/explain.ts [--python=python3] [--threads=2]
 *      [--rounds=5] [--batch=16] [--score-batch=1] [--methods=grad-cam,score-cam]
 *      [--layer=layer4]
 *
 * A map of Score-CAM of layer4 is 512 forward passes, 16 masks each on both sides;
 * --score-batch says how many images are explained at a time.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import {
  MethodExplainer,
  type MethodName,
  Network,
  openDevice,
} from "../../mod.ts";
import { resnet } from "../../src/models/resnet.ts";
import { Worker } from "./_protocol.ts";

const SIZE = 224;

const flags = parseArgs(Deno.args, {
  string: [
    "python",
    "threads",
    "rounds",
    "batch",
    "score-batch",
    "methods",
    "layer",
  ],
  default: {
    python: "python3",
    threads: "2",
    rounds: "5",
    batch: "16",
    "score-batch": "1",
    methods: "grad-cam,score-cam",
    layer: "layer4",
  },
});
const threads = Number(flags.threads);
const rounds = Number(flags.rounds);

/** Seconds of each round, sorted. */
function summary(seconds: readonly number[], maps: number): string {
  const sorted = seconds.toSorted((a, b) => a - b);
  const rate = (one: number) => (maps / one).toFixed(2).padStart(8);
  return `${rate(sorted[0]!)} ${rate(sorted[Math.floor(sorted.length / 2)]!)}`;
}

using device = openDevice("cpu", { threads });
using network = new Network(device, resnet("resnet18", { classes: 1000 }));
await using other = await Worker.start(
  flags.python,
  [new URL("./explain_pytorch.py", import.meta.url).pathname],
  {},
);
console.log("method      maps/s: best   median");
for (const method of flags.methods.split(",") as MethodName[]) {
  const batch = Number(
    method === "score-cam" ? flags["score-batch"] : flags.batch,
  );
  using explainer = await MethodExplainer.create(network, {
    ...{ method, layer: flags.layer },
    batchSize: batch,
    image: { height: SIZE, width: SIZE, channels: 3 },
  });
  const pixels = Uint8Array.from(
    { length: batch * SIZE * SIZE * 3 },
    (_, i) => (i * 2654435761) >>> 24,
  );
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const start = performance.now();
    await explainer.explain(pixels, 0);
    const own = (performance.now() - start) / 1000;
    const answer = await other.ask({
      ...{ method, layer: flags.layer, batch, size: SIZE, threads },
    });
    // The first is not counted.
    if (round < 0) continue;
    ours.push(own);
    theirs.push(Number(answer.seconds));
  }
  console.log(`${method.padEnd(12)} gapcam ${summary(ours, batch)}`);
  console.log(`${"".padEnd(12)} theirs ${summary(theirs, batch)}`);
  const ratio = Math.min(...theirs) / Math.min(...ours);
  console.log(`${"".padEnd(12)} ${ratio.toFixed(2)} times as many`);
}
