/**
 * Kills a run with everything at once, again and again, and lets it go on.
 * GAPCAM_KILLS says how often, GAPCAM_KILL_SEED at which instants.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { Random } from "../../src/random.ts";
import { commandOf, withFolder } from "./_run_command.ts";

const KILLS = Number(Deno.env.get("GAPCAM_KILLS") ?? 4);
const SEED = Number(Deno.env.get("GAPCAM_KILL_SEED") ?? 1);

const JOB = [
  ...["--dataset=shapes", "--train-limit=60", "--test-limit=10"],
  ...["--model=4,M,8", "--batch-norm", "--image-size=16", "--epochs=30"],
  ...["--batch-size=5", "--accumulate=2", "--clip-norm=0.5"],
  ...["--optimizer=nesterov", "--learning-rate=0.02", "--schedule=one-cycle"],
  ...["--weight-decay=0.01", "--weight-decay-on=weights"],
  ...["--mixup=0.4", "--cutmix=1", "--label-smoothing=0.1"],
  ...["--class-weights=balanced", "--balance", "--ema-decay=0.9", "--tta"],
  ...["--augment=alternating-flip,crop=2,reflect,rotate,jitter,erase"],
  ...["--validation-fraction=0.2", "--best-by=loss"],
  "--log-every=1",
];
/** What a run does not remember: where it is computed, and how often it is saved. */
const WHERE = ["--device=cpu", "--threads=1", "--save-every=2"];

/** Starts a run, or goes on with it; what it prints is left out. */
function start(run: string, cache: string, quiet: boolean): Deno.ChildProcess {
  const begun = exists(`${run}/checkpoint.safetensors`);
  const flags = begun
    ? ["--resume", run, ...WHERE]
    : [...JOB, ...WHERE, `--out=${run}`];
  return commandOf("train", [...flags, ...(quiet ? ["--quiet"] : [])], {
    env: { GAPCAM_CACHE: cache },
  }).spawn();
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("a run with all at once, killed at any instant, ends in the bytes of an uncut one", () =>
  withFolder(async (folder) => {
    const cache = `${folder}/cache`, whole = `${folder}/whole`;
    const began = performance.now();
    const uncut = await start(whole, cache, true).output();
    assertEquals(uncut.code, 0, new TextDecoder().decode(uncut.stderr));
    const takes = performance.now() - began;
    const random = new Random(SEED);
    let killed = 0, runs = 0, resumed = 0;
    while (killed < KILLS) {
      const run = `${folder}/cut${runs++}`;
      for (;;) {
        if (exists(`${run}/checkpoint.safetensors`)) resumed++;
        const child = start(run, cache, random.nextUint32() % 2 === 0);
        const wait = random.uniform() * takes;
        const timer = setTimeout(
          () => child.kill("SIGKILL"),
          killed < KILLS ? wait : 600_000,
        );
        const { code, signal, stderr } = await child.output();
        clearTimeout(timer);
        if (signal === "SIGKILL") killed++;
        else {
          assertEquals(code, 0, new TextDecoder().decode(stderr));
          break;
        }
      }
      for (const name of ["checkpoint.safetensors", "best.safetensors"]) {
        const [found, expected] = await Promise.all(
          [run, whole].map((at) => Deno.readFile(`${at}/${name}`)),
        );
        assertEquals(found!.length, expected!.length, name);
        assert(
          found!.every((byte, i) => byte === expected![i]),
          `${run}/${name} has other bytes, after ${killed} kills`,
        );
      }
      const [found, expected] = [run, whole].map((at) =>
        [...Deno.readDirSync(at)].map(({ name }) => name).sort()
      );
      assertEquals(found, expected);
    }
    assertGreater(resumed, 0);
  }));
