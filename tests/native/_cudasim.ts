import { type Ended, libraries, root, run as runPlain } from "./_build.ts";

export type { Ended };

/** Folder of the built stand-ins for NVIDIA's libraries. */
export const standIns = `${libraries}/cudasim`;

/** Runs a command in the project's folder with NVIDIA's libraries stood in for. */
export function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  return runPlain(command, args, {
    GAPCAM_NVIDIA_FOLDER: `${standIns}/lib`,
    GAPCAM_LIBRARY_FOLDER: libraries,
    NO_COLOR: "1",
    ...env,
  });
}

/** What became of the tests of a run, by name; what a filter leaves out is ignored. */
export interface Tested extends Ended {
  passed: string[];
  ignored: string[];
  failed: string[];
}

/** Runs tests over the stand-ins; what became of each is what Deno reports for programs. */
export async function runTests(
  args: readonly string[],
  env: Record<string, string>,
): Promise<Tested> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const ended = await run(Deno.execPath(), [
      "test",
      "--no-check",
      "-A",
      `--junit-path=${report}`,
      ...args,
    ], env);
    const cases = (await Deno.readTextFile(report)).matchAll(
      /<testcase name="([^"]*)"[^>]*>(.*?)<\/testcase>/gs,
    );
    const tested: Tested = { ...ended, passed: [], ignored: [], failed: [] };
    for (const [, name, result] of cases) {
      if (/<skipped/.test(result!)) tested.ignored.push(name!);
      else if (/<(failure|error)/.test(result!)) tested.failed.push(name!);
      else tested.passed.push(name!);
    }
    return tested;
  } finally {
    await Deno.remove(report);
  }
}

/** Builds the stand-ins, where anything has changed. */
export async function buildStandIns(): Promise<Ended> {
  const source = `${root}tests/native/cudasim`;
  const configured = await run("cmake", [
    "-S",
    source,
    "-B",
    standIns,
    `-DGAPCAM_LIBRARY=${libraries}/libgapcam_cuda.so`,
  ]);
  if (configured.code !== 0) return configured;
  return await run("cmake", ["--build", standIns, "-j2"]);
}
