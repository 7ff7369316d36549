/**
 * Runs the tests of operations in several processes at the same time, and
 * prints what they say line by line.
 *
 *   deno run -A scripts/gpu/kit/operations.ts --parts 6 --seconds 140 [--filter TEXT]
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { fileURLToPath } from "node:url";
import { TextLineStream } from "../../bench/_lines.ts";

const flags = parseArgs(Deno.args, { string: ["parts", "seconds", "filter"] });
const parts = Number(flags.parts ?? 1);

/** Deno says this in the middle of a slow test's line. */
const SLOW = /'.*' has been running for over .*$/;

async function runPart(part: number): Promise<number> {
  const process = new Deno.Command("sh", {
    args: [
      ...["-c", 'exec "$@" 2>&1', "sh", Deno.execPath(), "test", "-A"],
      ...["--no-check", "--cached-only"],
      ...(flags.filter ? ["--filter", flags.filter] : []),
      fileURLToPath(new URL("operations_part.ts", import.meta.url)),
    ],
    env: { KIT_PART: `${part}/${parts}` },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const timer = setTimeout(() => {
    console.log(`part ${part} of ${parts} was not done in time`);
    process.kill("SIGKILL");
  }, 1000 * Number(flags.seconds ?? 140));
  const lines = process.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  let begun = "";
  for await (const line of lines) {
    const whole = begun + line;
    begun = whole.replace(SLOW, "");
    // The rest of a slow test's line comes later, and other parts' lines before it.
    if (begun !== whole) continue;
    console.log(whole);
    begun = "";
  }
  if (begun !== "") console.log(begun);
  clearTimeout(timer);
  return (await process.status).code;
}

const codes = await Promise.all(
  Array.from({ length: parts }, (_, i) => runPart(i + 1)),
);
if (codes.some((code) => code !== 0)) Deno.exit(1);
