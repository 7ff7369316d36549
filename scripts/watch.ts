/**
 * `deno task watch`: a page that shows runs while they train, and after.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import { GapcamError } from "../src/error.ts";
import { findRun } from "../src/train/run_name.ts";
import { isLoopback } from "../src/watch/_request_checks.ts";
import { WATCH_PORT } from "../src/watch/serve_runs.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { DEVICE_FLAGS, deviceChoice } from "./_device_flags.ts";
import { UsageError } from "./_flags.ts";
import { Interrupt } from "./_interrupt.ts";
import { runsFolder, shownPath } from "./_runs.ts";
import { openWatchPage } from "./_watch_page.ts";
import { movedText } from "./_watched_training.ts";

const FLAGS = {
  port: {
    type: "integer",
    min: 0,
    max: 65535,
    help: "the port; where it is taken, the next that is free",
    default: String(WATCH_PORT),
  },
  host: {
    type: "string",
    help: "listen there, for other machines too: a name or an address, as " +
      "0.0.0.0; the page's address then has a token that it needs",
    default: "127.0.0.1, this machine alone",
    placeholder: "HOST",
  },
  ...DEVICE_FLAGS,
  device: { ...DEVICE_FLAGS.device, default: "cpu" },
  threads: {
    ...DEVICE_FLAGS.threads,
    default: "1, so that what trains is not disturbed",
  },
  json: { type: "boolean", help: "print where the page is as JSON" },
} as const satisfies Record<string, Flag>;

async function main(
  flags: FlagValues<typeof FLAGS> & { debug?: boolean },
): Promise<number> {
  const [named, ...rest] = flags.positional;
  if (rest.length > 0) {
    throw new UsageError(
      `Unexpected argument ${JSON.stringify(rest[0])}: watch takes one ` +
        "folder of runs, or one run; see --help",
    );
  }
  const { runs, run } = chosen(named);
  await using page = openWatchPage({
    runs,
    host: flags.host,
    port: flags.port,
    device: deviceChoice({
      ...flags,
      device: flags.device ?? "cpu",
      threads: flags.threads ?? (flags.device === "cuda" ? undefined : 1),
    }),
  });
  const url = page.url +
    (run === undefined ? "" : `#${encodeURIComponent(run)}`);
  if (flags.json) console.log(JSON.stringify({ url, port: page.port, runs }));
  else {
    console.log(
      `Runs in ${shownPath(runs)}: ${url}${movedText(page.port, flags.port)}`,
    );
    if (flags.host !== undefined && !isLoopback(flags.host)) {
      console.log("Whoever has that address can look at all runs there.");
    }
    console.log("Ctrl-C ends it.");
  }
  using interrupt = new Interrupt(() => {});
  await interrupt.pressed;
  return interrupt.code;
}

/** A folder of runs, or a run and the folder that it is in. */
function chosen(
  name: string | undefined,
): { runs: string; run: string | undefined } {
  if (name === undefined) return { runs: runsFolder(), run: undefined };
  const path = userPath(name).replace(/(?<=.)\/+$/, "");
  try {
    const run = findRun(exists(path) ? path : name, runsFolder());
    const cut = run.lastIndexOf("/");
    return { runs: run.slice(0, cut) || "/", run: run.slice(cut + 1) };
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    if (!exists(path)) throw error;
    if (Deno.statSync(path).isDirectory) return { runs: path, run: undefined };
    throw error;
  }
}

await runCommand({
  name: "watch",
  summary:
    "Serves a page that shows runs while they train, and after: curves, " +
    "maps epoch by epoch, what is taken for what, and maps of photographs " +
    "that are dropped on it. RUNS is a folder of runs, or one run.",
  usage: "[RUNS] [FLAGS]",
  flags: FLAGS,
  positional: true,
}, main);
