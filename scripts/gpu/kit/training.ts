/**
 * Trains on generated shapes in several precisions, from the same weights on the
 * same batches, and checks that the loss curves agree and fall; the first steps
 * are compared with the CPU's. Prints one line of JSON at the end.
 *
 *   deno run -A scripts/gpu/kit/training.ts [--small] [--steps 200] [--trial]
 *
 * `--trial` puts the CPU, with its plainest convolutions, in the GPU's place,
 * to try without one whether all holds that should; `--seed` takes other weights.
 *
 * @module
 */

import {
  adam,
  BatchLoader,
  Network,
  openDevice,
  shapesDataset,
  TrainingProgram,
  vgg,
  type VggStep,
} from "../../../mod.ts";
import { parseArgs } from "@std/cli/parse-args";
import { type Check, checkAgreement, checkFall } from "./_curves.ts";

const PRECISIONS = ["f32", "tf32", "bf16"] as const;
type Precision = typeof PRECISIONS[number];

const flags = parseArgs(Deno.args, {
  boolean: ["small", "unchecked", "trial"],
  string: ["steps", "precisions", "seed"],
});
const steps = Number(flags.steps ?? 200);
const precisions = (flags.precisions ?? PRECISIONS.join()).split(
  ",",
) as Precision[];
const trunk: VggStep[] = flags.small
  ? [8, "M", 16, "M"]
  : [32, 32, "M", 64, 64, "M", 128, 128, "M"];
const size = flags.small ? 16 : 48;
const batchSize = flags.small ? 8 : 64;
/**
 * So that the loss surely falls within 200 steps: few images, which are learned
 * by heart, batch normalisation, and a rate that is low for it. At 1e-3 it
 * falls faster, but two ways to round are 1.4e-3 apart within ten steps.
 */
const images = shapesDataset("train", { size, length: flags.small ? 64 : 256 });
const learningRate = flags.small ? 1e-2 : 2e-4;
/** How many of the first steps are compared with the CPU's. */
const CPU_STEPS = 10;

async function losses(
  backend: "cpu" | "cuda",
  options: { precision: Precision; steps: number },
): Promise<{ losses: number[]; seconds: number }> {
  using device = openDevice(backend, { precision: options.precision });
  using network = new Network(
    device,
    vgg(trunk, {
      classes: images.classes.length,
      // Without it hundreds of steps show nothing.
      batchNorm: !flags.small,
    }),
    { seed: Number(flags.seed ?? 0) },
  );
  using training = await TrainingProgram.compile(network, {
    batchSize,
    image: { height: size, width: size, channels: 3 },
    optimiser: adam({ learningRate }),
  });
  const loader = new BatchLoader(images, { batchSize, shuffle: true });
  const curve: number[] = [];
  const start = performance.now();
  for (let epoch = 0; curve.length < options.steps; epoch++) {
    for await (const batch of loader.epoch(epoch)) {
      await training.step(batch.images, batch.labels);
      curve.push(training.metrics().lastLoss);
      if (curve.length === options.steps) break;
    }
  }
  return { losses: curve, seconds: (performance.now() - start) / 1000 };
}

if (flags.trial) Deno.env.set("GAPCAM_CONVOLUTION", "direct");
const curves: Record<string, { losses: number[]; seconds: number }> = {};
for (const precision of precisions) {
  curves[precision] = await losses(flags.trial ? "cpu" : "cuda", {
    precision,
    steps,
  });
}
const checks: Check[] = [];
if (!flags.unchecked) {
  const f32 = curves.f32!.losses;
  if (flags.trial) Deno.env.delete("GAPCAM_CONVOLUTION");
  curves.cpu = await losses("cpu", { precision: "f32", steps: CPU_STEPS });
  checks.push(
    checkAgreement(`the first ${CPU_STEPS} steps in f32 are the CPU's`, {
      found: f32.slice(0, CPU_STEPS),
      expected: curves.cpu.losses,
    }, { stretch: 1, relative: 1e-3, absolute: 1e-4 }),
  );
  for (const precision of precisions) {
    const { losses } = curves[precision]!;
    checks.push(
      checkFall(
        `the loss falls in ${precision}`,
        losses,
        flags.small ? 0.9 : 0.5,
      ),
    );
    if (precision === "f32") continue;
    checks.push(
      checkAgreement(`${precision} learns as f32 does`, {
        found: losses,
        expected: f32,
      }, { stretch: 40, relative: 0.15, absolute: 0.05 }),
    );
  }
}
console.log(JSON.stringify({ steps, batchSize, size, curves, checks }));
if (checks.some(({ passed }) => !passed)) Deno.exit(1);
