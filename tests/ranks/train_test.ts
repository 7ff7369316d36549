import { assert, assertEquals, assertMatch } from "@std/assert";
import { readCheckpoint } from "../../src/train/checkpoint_file.ts";
import {
  type Ended,
  ended,
  type Mpi,
  mpis,
  onRanks,
  runRanks,
  withoutBoth,
} from "./_mpi.ts";

const SMALL = [
  Deno.execPath(),
  ...["task", "--quiet", "train"],
  ...["--dataset=shapes", "--train-limit=160", "--test-limit=20"],
  ...["--model=8,M,16,M,16", "--image-size=32", "--batch-size=32"],
  ...["--device=cpu", "--threads=1", "--epochs=2", "--no-film"],
];

async function withFolder(
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function checkpointOf(run: string): Promise<Uint8Array> {
  return await Deno.readFile(`${run}/checkpoint.safetensors`);
}

/** Trains and expects that it went well. */
async function trained(
  mpi: Mpi,
  ranks: number,
  ...flags: string[]
): Promise<Ended> {
  const result = await runRanks(mpi, [...SMALL, ...flags], { ranks });
  assertEquals(result.code, 0, result.stderr);
  return result;
}

/** Process numbers of a rank that trains into a folder. */
function processesOf(folder: string, rank: number): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      const variables = Deno.readTextFileSync(`/proc/${name}/environ`);
      if (
        command.includes("scripts/train.ts") && command.includes(folder) &&
        new RegExp(`(^|\\0)(PMI|OMPI_COMM_WORLD)_RANK=${rank}\\0`)
          .test(variables)
      ) found.push(Number(name));
    } catch {
      // It ended meanwhile, or is another's.
    }
  }
  return found;
}

/** Waits until a run is under way. */
async function untilSteps(folder: string, least: number): Promise<void> {
  for (let i = 0; i < 600; i++) {
    try {
      const log = Deno.readTextFileSync(`${folder}/log.jsonl`);
      if (log.split("\n").length > least) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the run did not begin");
}

for (const mpi of mpis) {
  Deno.test(`${mpi.name}: train on 2 ranks speaks and writes as one, and says so in what it saves`, () =>
    withFolder(async (folder) => {
      const { stdout } = await trained(
        mpi,
        2,
        "--validation-fraction=0.2",
        `--out=${folder}/run`,
      );
      assertEquals(stdout.match(/^Run: /gm)?.length, 1);
      assertMatch(stdout, /^Ranks: 2 on 1 host, 1 thread for the first/m);
      assertMatch(stdout, /of all 20 images/);
      const { ranks } = await readCheckpoint(
        `${folder}/run/checkpoint.safetensors`,
      );
      assertEquals(ranks, 2);
      assertMatch(
        await Deno.readTextFile(`${folder}/run/log.jsonl`),
        /"ranks":2/,
      );
    }));

  Deno.test(`${mpi.name}: a launcher that is stopped by Ctrl-C has the run saved once, and it goes on to the bytes of an uncut one, on as many ranks`, () =>
    withFolder(async (folder) => {
      const epochs = "--epochs=200";
      await trained(mpi, 2, epochs, `--out=${folder}/whole`);
      const child = onRanks(
        mpi,
        [...SMALL, epochs, `--out=${folder}/cut`],
        { ranks: 2 },
      ).spawn();
      await untilSteps(`${folder}/cut`, 6);
      child.kill("SIGINT");
      const { stdout } = ended(await child.output());
      assertEquals(stdout.match(/saved\. Go on with/g)?.length, 1, stdout);
      const { progress } = await readCheckpoint(
        `${folder}/cut/checkpoint.safetensors`,
      );
      assert(progress.epoch < 200);
      await trained(mpi, 2, epochs, `--resume=${folder}/cut`);
      assertEquals(
        await checkpointOf(`${folder}/cut`),
        await checkpointOf(`${folder}/whole`),
      );
    }));

  Deno.test(`${mpi.name}: a rank that dies ends the others within ten seconds, with a sentence that names it`, () =>
    withFolder(async (folder) => {
      const child = onRanks(
        mpi,
        [...SMALL, "--epochs=100000", `--out=${folder}/run`],
        { ranks: 3 },
      ).spawn();
      await untilSteps(`${folder}/run`, 4);
      const start = performance.now();
      const [victim] = processesOf(folder, 1);
      Deno.kill(victim!, "SIGKILL");
      const { code, stderr, stdout } = ended(await child.output());
      assert(code !== 0);
      assert(performance.now() - start < 10_000);
      assertMatch(
        stderr + stdout,
        new RegExp(
          `error: Cannot go on with 3 ranks: rank 1 \\(process ${victim} on ` +
            `.*\\) ended without a word; the checkpoint of epoch \\d+.* is ` +
            `kept in ${folder}/run/checkpoint.safetensors and can be resumed`,
        ),
      );
      for (const rank of [0, 2]) assertEquals(processesOf(folder, rank), []);
    }));
}

Deno.test({
  name:
    `train on 3 ranks gives the same bytes with both MPIs, and goes on with another number of ranks${withoutBoth}`,
  ignore: withoutBoth !== "",
  fn: () =>
    withFolder(async (folder) => {
      const [one, other] = mpis as [Mpi, Mpi];
      const recipe = ["--mixup=0.2", "--batch-norm", "--ema-decay=0.9"];
      await trained(one, 3, ...recipe, `--out=${folder}/one`);
      await trained(other, 3, ...recipe, `--out=${folder}/other`);
      assertEquals(
        await checkpointOf(`${folder}/other`),
        await checkpointOf(`${folder}/one`),
      );
      const { stdout } = await trained(
        one,
        2,
        "--epochs=3",
        `--resume=${folder}/one`,
      );
      assertMatch(stdout, /trained by 3 ranks so far, by 2 now/);
      assertMatch(stdout, /epoch 3: loss \d/);
    }),
});

/** What ranks that are to fail say: rank 0's or another's last sentence. */
async function refused(
  mpi: Mpi,
  command: readonly string[],
  options: { ranks: number; env?: Record<string, string> },
): Promise<string> {
  const { code, stdout, stderr } = await runRanks(mpi, command, options);
  assert(code !== 0);
  const errors = new Set((stderr + stdout).match(/error: .*/g));
  assertEquals(errors.size, 1, stderr + stdout);
  return [...errors][0]!;
}

/** A command whose rank 1 has another flag than the others. */
function unlike(own: string, others: string): string[] {
  const [command, ...args] = SMALL;
  return [
    "sh",
    "-c",
    `r=\${OMPI_COMM_WORLD_RANK:-$PMI_RANK}; f=${others}; ` +
    `[ "$r" = 1 ] && f=${own}; exec "$@" $f`,
    "-",
    command!,
    ...args,
  ];
}

for (const mpi of mpis) {
  Deno.test(`${mpi.name}: train refuses ranks that do not fit each other, in one sentence`, () =>
    withFolder(async (folder) => {
      const out = `--out=${folder}/run`;
      assertMatch(
        await refused(mpi, [...SMALL, "--batch-size=2", out], { ranks: 3 }),
        /Cannot train on 3 ranks with batches of 2 images: expected one for each rank at least/,
      );
      await Deno.remove(folder, { recursive: true });
      assertMatch(
        await refused(
          mpi,
          [...unlike("--learning-rate=0.1", "--learning-rate=0.2"), out],
          { ranks: 2 },
        ),
        /rank 1 has 0.1 as learningRate, rank 0 0.2; start all with the same code, flags and data/,
      );
      assertMatch(
        await refused(
          mpi,
          unlike("--train-limit=64", "--train-limit=96").concat(out),
          { ranks: 2 },
        ),
        /rank 1 has 64 images of shapes .* as training data, rank 0 96 images/,
      );
      await Deno.mkdir(folder, { recursive: true });
    }));

  Deno.test(`${mpi.name}: train refuses an MPI that is not there, or not the launcher's`, async () => {
    assertMatch(
      await refused(mpi, SMALL, {
        ranks: 2,
        env: { GAPCAM_MPI_LIBRARY: "/nowhere/libmpi.so" },
      }),
      /Cannot join the ranks: GAPCAM_MPI_LIBRARY names \/nowhere\/libmpi.so, which cannot be loaded/,
    );
    const other = mpi.name === "MPICH" ? "libmpi.so.40" : "libmpich.so.12";
    if (mpis.length < 2) return;
    assertMatch(
      await refused(mpi, SMALL, {
        ranks: 2,
        env: { GAPCAM_MPI_LIBRARY: other },
      }),
      /Cannot join the ranks: mpi(run|exec) of .* started 2 processes, .* sees 1; start them with the launcher of that library/,
    );
  });
}

/** A folder of few bytes, where one may be made. */
async function smallFolder(path: string): Promise<boolean> {
  const { success } = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=160k", "tmpfs", path],
    stderr: "null",
  }).output().catch(() => ({ success: false }));
  return success;
}

Deno.test("train on 2 ranks ends in one sentence where rank 0's disk is full, and keeps what was saved", () =>
  withFolder(async (folder) => {
    const [mpi] = mpis;
    if (!mpi || !await smallFolder(folder)) {
      console.log("SKIPPED: there is no MPI, or no file system may be mounted");
      return;
    }
    try {
      const said = await refused(mpi, [
        ...SMALL,
        ...["--epochs=100000", "--log-every=1", `--out=${folder}/run`],
      ], { ranks: 2 });
      assertMatch(said, /No space left on device/);
      await readCheckpoint(`${folder}/run/checkpoint.safetensors`);
    } finally {
      await new Deno.Command("umount", { args: [folder] }).output();
    }
  }));
