/**
 * What several ranks on this machine cost: the speed of one process with all
 * threads, of as many ranks with one thread each, and of one rank under the
 * launcher beside one process without it, in turns.
 *
 *   deno run -A scripts/bench/ranks.ts [--launcher "mpirun --bind-to none"] [--ranks 2]
 *     [--only ranks|launcher]   one of the two comparisons alone
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

const flags = parseArgs(Deno.args, {
  string: [
    ...["launcher", "ranks", "rounds", "model", "image-size", "batch-size"],
    "only",
  ],
  default: {
    launcher: "mpirun",
    ranks: "2",
    rounds: "3",
    model: "vgg11",
    "image-size": "96",
    "batch-size": "32",
  },
});
const [launcher, ...options] = flags.launcher.split(" ");
const batch = Number(flags["batch-size"]);

/** Images a second of a short run, its first half left out. */
async function speed(ranks: number, threads: number): Promise<number> {
  const folder = await Deno.makeTempDir();
  try {
    const command = [
      ...(ranks > 0 ? [launcher!, ...options, "-n", String(ranks)] : []),
      ...["deno", "task", "--quiet", "train", "--dataset=shapes", "--no-film"],
      ...[`--model=${flags.model}`, `--image-size=${flags["image-size"]}`],
      ...[`--batch-size=${batch}`, `--train-limit=${batch * 20}`],
      ...["--test-limit=10", "--epochs=1", "--log-every=10", "--device=cpu"],
      ...[`--threads=${threads}`, `--out=${folder}/run`],
    ];
    const { success, stderr } = await new Deno.Command(command[0]!, {
      args: command.slice(1),
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const intervals = (await Deno.readTextFile(`${folder}/run/log.jsonl`))
      .trim().split("\n").map((line) => JSON.parse(line))
      .filter(({ event }) => event === "interval");
    return intervals.at(-1).imagesPerSecond;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const ranks = Number(flags.ranks);
const cases = {
  [`one process, ${ranks} threads`]: [0, ranks],
  [`${ranks} ranks, 1 thread each`]: [ranks, 1],
  "one process, 1 thread": [0, 1],
  "one rank under the launcher, 1 thread": [1, 1],
} as const satisfies Record<string, readonly [number, number]>;
const found: Record<string, number[]> = {};
const compared = Object.entries(cases).filter((_, i) =>
  flags.only === undefined || flags.only === (i < 2 ? "ranks" : "launcher")
);
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const [name, [count, threads]] of compared) {
    (found[name] ??= []).push(await speed(count, threads));
  }
}
for (const [name, rates] of Object.entries(found)) {
  const median = rates.toSorted((a, b) => a - b)[rates.length >> 1]!;
  console.log(
    `${name.padEnd(40)} ${median.toFixed(1).padStart(8)} images/s, of ${
      rates.map((rate) => rate.toFixed(1)).join(", ")
    }`,
  );
}
// Pair by pair: what else the machine does meanwhile changes from one to the next.
const pairs = compared.map(([name]) => found[name]!);
for (let i = 0; i + 1 < pairs.length; i += 2) {
  const ratios = pairs[i]!.map((rate, round) => pairs[i + 1]![round]! / rate)
    .toSorted((a, b) => a - b);
  console.log(
    `${compared[i + 1]![0]}: ${ratios[ratios.length >> 1]!.toFixed(3)} of ` +
      `${compared[i]![0]} (${ratios.map((one) => one.toFixed(3)).join(", ")})`,
  );
}
