/**
 * What every command shares: one sentence for an error, exit codes, paths as
 * the user typed them.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { GapcamError } from "../src/error.ts";
import {
  type CommandDescription,
  type Flag,
  type FlagValues,
  helpText,
  parseFlags,
  UsageError,
} from "./_flags.ts";

export { type Flag, type FlagValues, QUIET_FLAG } from "./_flags.ts";

const COMMON = {
  debug: {
    type: "boolean",
    help:
      "show the stack trace of an error; a GPU runs step by step and names " +
      "the one that failed",
  },
  help: { type: "boolean", help: "show this help" },
} as const satisfies Record<string, Flag>;

/**
 * Parses the flags and runs a command. An error is printed as one sentence on
 * stderr and ends the process with exit code 1; `--debug` adds the stack
 * trace, `--help` prints the flags.
 *
 * @param description The command and its flags; `--debug` and `--help` are added.
 * @param main What the command does; it may return an exit code.
 */
export async function runCommand<const Flags extends Record<string, Flag>>(
  description: CommandDescription<Flags>,
  main: (
    flags: FlagValues<Flags & typeof COMMON>,
  ) => Promise<number | void> | number | void,
): Promise<void> {
  const all: Record<string, Flag> = { ...description.flags, ...COMMON };
  let code = 0;
  try {
    const values = parseFlags(
      description,
      all,
      Deno.args,
      (text) => console.error(`note: ${text}`),
    );
    if (values.help) console.log(helpText(description, all));
    else code = (await main(values as FlagValues<Flags & typeof COMMON>)) ?? 0;
  } catch (error) {
    // A closed pipe (`deno task eval | head -1`) is the reader's choice.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    code = 1;
    console.error(`error: ${sentence(error)}`);
    if (Deno.args.includes("--debug")) console.error(error);
    else if (!isExpected(error)) {
      console.error("This looks like a defect; --debug shows where.");
    }
  }
  if (code !== 0) Deno.exit(code);
}

/** Resolves a path that the user typed against the folder they typed it in. */
export function userPath(path: string): string {
  // `deno task` runs in the folder of deno.json and keeps the user's in INIT_CWD.
  const base = Deno.env.get("INIT_CWD") || Deno.cwd();
  return path.startsWith("/") ? path : `${base}/${path}`;
}

function isExpected(error: unknown): boolean {
  return error instanceof GapcamError || error instanceof UsageError ||
    (error instanceof Error && (error.constructor.name in Deno.errors ||
      // Those of the system that Deno has no class for, as a full disk.
      / \(os error \d+\)/.test(error.message)));
}

function sentence(error: unknown): string {
  // Names of files, classes and tensors may hold anything.
  return printable(
    error instanceof Error ? error.message : String(error),
    2000,
  );
}
