/**
 * Python packages, by name, through Python's own package manager.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";

/** Options of {@linkcode fetchPackage}. */
export interface FetchPackageOptions {
  /** What it is for, in errors. */
  purpose: string;
  /** Where a folder for the download is made, which is gone afterwards. */
  folder: string;
  /** After how many seconds it is given up. */
  seconds: number;
  /** Stops it; the error is then this signal's. */
  signal: AbortSignal;
}

/** Seconds that pip waits for an answer, and how often it asks again. */
const WAITING = ["--timeout=15", "--retries=1"];

/**
 * Downloads a package as a wheel; nothing of it is installed or run.
 *
 * @returns The wheel.
 * @throws {GapcamError} If there is no pip (the message says what to install),
 * or it cannot get the package.
 */
export async function fetchPackage(
  name: string,
  version: string,
  options: FetchPackageOptions,
): Promise<Uint8Array> {
  const { purpose, folder, seconds, signal } = options;
  await Deno.mkdir(folder, { recursive: true });
  const target = await Deno.makeTempDir({ dir: folder, prefix: ".fetching-" });
  try {
    await runPip([
      ...["download", "--no-deps", "--only-binary=:all:", "--no-input"],
      ...["--disable-pip-version-check", "--quiet", ...WAITING],
      ...[`--dest=${target}`, `${name}==${version}`],
    ], { purpose, seconds, signal, what: `${name} ${version}` });
    const wheel = [...Deno.readDirSync(target)]
      .find((entry) => entry.name.endsWith(".whl"));
    if (wheel) return await Deno.readFile(`${target}/${wheel.name}`);
    throw new GapcamError(
      "io",
      `Cannot get ${purpose}: pip brought no wheel of ${name} ${version}`,
    );
  } finally {
    await Deno.remove(target, { recursive: true });
  }
}

async function runPip(
  args: readonly string[],
  { purpose, seconds, signal, what }: {
    purpose: string;
    seconds: number;
    signal: AbortSignal;
    what: string;
  },
): Promise<void> {
  const limit = AbortSignal.timeout(1000 * seconds);
  const refuse = (reason: string): never => {
    throw new GapcamError("io", `Cannot get ${purpose}: ${reason}`);
  };
  let outcome: Deno.CommandOutput;
  try {
    outcome = await new Deno.Command("python3", {
      args: ["-m", "pip", ...args],
      stdin: "null",
      signal: AbortSignal.any([limit, signal]),
    }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    refuse(
      "Python's package manager downloads it, and there is no Python; install " +
        "it (Debian: sudo apt-get install python3-pip) and run this again",
    );
    return;
  }
  signal.throwIfAborted();
  if (outcome.success) return;
  const words = new TextDecoder().decode(outcome.stderr);
  if (limit.aborted) {
    refuse(
      `pip did not bring ${what} within ${seconds} ${
        seconds === 1 ? "second" : "seconds"
      }`,
    );
  }
  if (/No module named pip\b/.test(words)) {
    refuse(
      "Python's package manager downloads it, and there is no pip; install it " +
        "(Debian: sudo apt-get install python3-pip) and run this again",
    );
  }
  refuse(`pip could not download ${what} (${reasonOf(words)})`);
}

/** What went wrong, of all that pip says. */
function reasonOf(words: string): string {
  if (/connection broken|connection error|timed out/i.test(words)) {
    return "there is no connection to its package index";
  }
  const errors = words.split("\n").filter((line) => /^ERROR: /.test(line));
  return errors.at(-1)?.replace(/^ERROR: /, "").replace(/\.$/, "") ??
    "it does not say why";
}
