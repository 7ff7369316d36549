/**
 * One network of every family: logits and the losses of training steps on the
 * GPU beside the CPU's, from the same weights and images. Prints one line of
 * JSON at the end.
 *
 *   deno run -A scripts/gpu/kit/families.ts [--small] [--seconds 100]
 *
 * Each network has a process of its own, several at a time: cuDNN compiles
 * plans for tens of seconds on one core. What is not done in time is left out.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import {
  InferenceProgram,
  Network,
  openDevice,
  sgd,
  shapesDataset,
  TrainingProgram,
} from "../../../mod.ts";
import { modelOf } from "../_described.ts";
import { differenceOf, type Family } from "./_families.ts";

/** One of each; what differs among the others of a family is how often a block repeats. */
const NAMES = [
  ...["vgg11", "vgg11_linear", "alexnet", "resnet18", "resnet50", "resnet9"],
  ...["densenet121", "squeezenet1_1", "googlenet", "mobilenet_v2"],
  ...["mnasnet1_0", "efficientnet_b0", "efficientnet_lite0"],
  ...["regnet_y_400mf", "shufflenet_v2_x1_0"],
];
const SMALL_NAMES = ["8,M,16"];

const flags = parseArgs(Deno.args, {
  boolean: ["small"],
  string: ["name", "seconds"],
});
const size = flags.small ? 16 : 96;
const batchSize = flags.small ? 2 : 8;
const STEPS = flags.small ? 1 : 3;
const classes = 10;
/** Networks at a time, each with so many threads. */
const AT_ONCE = flags.small ? 1 : 8, THREADS = 2;

interface Results {
  logits: Float32Array;
  losses: Float32Array;
}

async function results(
  name: string,
  backend: "cpu" | "cuda",
  precision: "f32" | "bf16",
): Promise<Results> {
  const images = new Uint8Array(batchSize * size * size * 3);
  const shapes = shapesDataset("train", { size, length: batchSize });
  const labels = Int32Array.from(shapes.labels);
  await shapes.read(Array.from(labels.keys()), images);
  using device = openDevice(backend, { precision, threads: THREADS });
  using network = new Network(device, modelOf(name, { classes }), { seed: 1 });
  const image = { height: size, width: size, channels: 3 };
  using inference = await InferenceProgram.compile(network, {
    batchSize,
    image,
  });
  const logits = Float32Array.from(await inference.run(images));
  using training = await TrainingProgram.compile(network, {
    ...{ batchSize, image, optimiser: sgd({ learningRate: 1e-3 }) },
  });
  const losses = new Float32Array(STEPS);
  for (let step = 0; step < STEPS; step++) {
    await training.step(images, labels);
    losses[step] = training.metrics().lastLoss;
  }
  return { logits, losses };
}

/** One network in both precisions, in this process. */
async function compare(name: string): Promise<Family[]> {
  const cpu = await results(name, "cpu", "f32");
  const families: Family[] = [];
  for (const precision of ["f32", "bf16"] as const) {
    const family: Family = { name, precision };
    try {
      const cuda = await results(name, "cuda", precision);
      family.logits = differenceOf(cuda.logits, cpu.logits);
      family.losses = differenceOf(cuda.losses, cpu.losses);
    } catch (error) {
      family.error = String(error);
    }
    families.push(family);
    // What is known stays if the process is ended.
    console.log(JSON.stringify(family));
  }
  return families;
}

/** One network in a process of its own, ended when the time is over. */
async function compareApart(name: string, end: number): Promise<Family[]> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--cached-only", import.meta.filename!],
      ...["--name", name, ...(flags.small ? ["--small"] : [])],
    ],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    process.kill("SIGKILL");
  }, Math.max(0, end - performance.now()));
  const { code, stdout, stderr } = await process.output();
  clearTimeout(timer);
  const text = new TextDecoder();
  const families = text.decode(stdout).split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Family);
  if (late || code === 0) return families;
  const said = text.decode(stderr).trim().split("\n").at(-1) ?? "";
  const error = `its process ended with exit code ${code}: ${said}`;
  return [...families, { name, precision: "f32", error }];
}

if (flags.name !== undefined) {
  await compare(flags.name);
} else {
  const end = performance.now() + 1000 * Number(flags.seconds ?? 100);
  const names = flags.small ? SMALL_NAMES : NAMES;
  const waiting = [...names], families: Family[] = [];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      if (performance.now() > end) continue;
      families.push(...await compareApart(name, end));
    }
  }));
  const leftOut = names.flatMap((name) =>
    (["f32", "bf16"] as const).filter((precision) =>
      !families.some((one) => one.name === name && one.precision === precision)
    ).map((precision) => `${name} ${precision}`)
  );
  console.log(JSON.stringify({ size, batchSize, families, leftOut }));
}
