/**
 * One network of every family on the GPU beside the CPU, from the same weights
 * and images: loss, gradients, running statistics and logits. Prints one line
 * of JSON at the end.
 *
 *   deno run -A scripts/gpu/kit/families.ts [--small] [--seconds 200] [--trial]
 *
 * Each network has a process of its own, several at a time: cuDNN compiles
 * plans for tens of seconds on one core. What is not done in time is left out.
 *
 * `--trial` puts the CPU, with its plainest convolutions, in the GPU's place,
 * and so shows without one what roundings alone come to. `--name` takes one
 * network, `--seed` other weights.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { measure, type Setting } from "./_family_results.ts";
import {
  apartOf,
  type Family,
  type Measure,
  type Measured,
  MEASURES,
} from "./_families.ts";

/**
 * One of each, the slowest first; what differs among the others of a family is
 * how often a block repeats.
 */
const NAMES = [
  ...["efficientnet_b0", "regnet_y_400mf", "densenet121", "googlenet"],
  ...["efficientnet_lite0", "shufflenet_v2_x1_0", "mobilenet_v2"],
  ...["mnasnet1_0", "resnet50", "vgg11_linear", "alexnet", "resnet18"],
  ...["squeezenet1_1", "vgg11", "resnet9"],
];
const SMALL_NAMES = ["8,M,16"];
/** Their linear layers take no other size. */
const ONLY_224 = ["alexnet", "vgg11_linear"];

const flags = parseArgs(Deno.args, {
  boolean: ["small", "trial"],
  string: ["name", "seconds", "seed"],
});
/** Networks at a time, each with two threads. */
const AT_ONCE = flags.small || flags.trial ? 1 : 8;

function settingOf(name: string): Pick<Setting, "size" | "batchSize"> {
  if (flags.small) return { size: 16, batchSize: 2 };
  return ONLY_224.includes(name)
    ? { size: 224, batchSize: 4 }
    : { size: 96, batchSize: 8 };
}

function apart(found: Measured, expected: Measured): Family["apart"] {
  return Object.fromEntries(
    MEASURES.map((one) => [one, apartOf(found[one], expected[one])]),
  ) as Record<Measure, number>;
}

/** One network in both precisions, in this process. */
async function compare(name: string): Promise<void> {
  const setting = { name, ...settingOf(name), seed: Number(flags.seed ?? 1) };
  const cpu = await measure({ ...setting, backend: "cpu", precision: "f32" });
  const backend = flags.trial ? "cpu" : "cuda";
  if (flags.trial) Deno.env.set("GAPCAM_CONVOLUTION", "direct");
  for (const precision of ["f32", "bf16"] as const) {
    const family: Family = { name, precision };
    try {
      const { measured } = await measure(
        { ...setting, backend, precision },
        cpu.state,
      );
      family.apart = apart(measured, cpu.measured);
    } catch (error) {
      family.error = String(error);
    }
    // What is known stays if the process is ended.
    console.log(JSON.stringify(family));
  }
}

/** What a failed process said: its error, not where it was thrown. */
function errorOf(said: string): string {
  const lines = said.trim().split("\n");
  return lines.find((line) => line.startsWith("error:")) ?? lines[0]!;
}

/** One network in a process of its own, ended when the time is over. */
async function compareApart(name: string, end: number): Promise<Family[]> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--cached-only", import.meta.filename!],
      ...["--name", name],
      ...Deno.args.filter((one) => one === "--small" || one === "--trial"),
      ...(flags.seed ? ["--seed", flags.seed] : []),
    ],
    env: { NO_COLOR: "1" },
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
  const said = errorOf(text.decode(stderr));
  const error = `its process ended with exit code ${code}: ${said}`;
  return [...families, { name, precision: "f32", error }];
}

if (flags.name !== undefined) {
  await compare(flags.name);
} else {
  const end = performance.now() + 1000 * Number(flags.seconds ?? 200);
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
  console.log(JSON.stringify({ families, leftOut }));
}
