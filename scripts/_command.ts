/**
 * What every command shares: flags with checks and help, one sentence for an
 * error, exit codes.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { GapcamError } from "../src/error.ts";

/** One flag of a command, `--name`. */
export interface Flag {
  /** How the value is read; `boolean` flags take none. */
  type: "string" | "integer" | "number" | "boolean";
  /** One line for `--help`. */
  help: string;
  /** What stands for the value in `--help`, such as `FOLDER`. */
  placeholder?: string;
  /** The only values allowed. */
  choices?: readonly string[];
  /** Whether `--no-NAME` says no; not given at all is then undefined (booleans). */
  negatable?: boolean;
  /** Whether the flag may stand alone, which reads as an empty text (strings). */
  optionalValue?: boolean;
  /** Whether the flag may be given several times (strings). */
  multiple?: boolean;
  /** Smallest number allowed. */
  min?: number;
  /** Largest number allowed. */
  max?: number;
  /** Smallest number not allowed: the value must be greater. */
  above?: number;
}

/** A command: what `--help` prints, and the flags it takes. */
export interface CommandDescription<Flags extends Record<string, Flag>> {
  /** The task's name, such as `train`. */
  name: string;
  /** One sentence. */
  summary: string;
  /** What follows the name in the usage line, such as `[FLAGS] NAME`. */
  usage?: string;
  /** Flags by name, without the dashes. */
  flags: Flags;
  /** Whether arguments that are no flags are taken. Default: false. */
  positional?: boolean;
}

type FlagValue<F extends Flag> = F["type"] extends "boolean"
  ? F extends { negatable: true } ? boolean | undefined : boolean
  : F extends { multiple: true } ? string[]
  : F["type"] extends "string" ? string | undefined
  : number | undefined;

/**
 * The values of a command's flags; a flag not given is undefined (booleans:
 * false, flags that may be given several times: an empty list).
 */
export type FlagValues<Flags extends Record<string, Flag>> =
  & { [Name in keyof Flags]: FlagValue<Flags[Name]> }
  & { positional: string[] };

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
    const values = parseFlags(description, all, Deno.args);
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
  const base = Deno.env.get("INIT_CWD") ?? Deno.cwd();
  return path.startsWith("/") ? path : `${base}/${path}`;
}

function isExpected(error: unknown): boolean {
  return error instanceof GapcamError || error instanceof UsageError ||
    (error instanceof Error && error.constructor.name in Deno.errors);
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

class UsageError extends Error {}

function parseFlags<Flags extends Record<string, Flag>>(
  description: CommandDescription<Flags>,
  flags: Record<string, Flag>,
  args: readonly string[],
): Record<string, unknown> {
  const names = Object.keys(flags);
  const negatable = names.filter((name) => flags[name]!.negatable);
  const raw = parseArgs(args, {
    boolean: names.filter((name) => flags[name]!.type === "boolean"),
    string: [...names.filter((name) => flags[name]!.type !== "boolean"), "_"],
    negatable,
    collect: names.filter((name) => flags[name]!.multiple),
    alias: { h: "help" },
    unknown: (arg, key) => {
      if (key === undefined) {
        if (description.positional) return true;
        throw new UsageError(
          `Unexpected argument ${JSON.stringify(arg)}: ` +
            `${description.name} takes only flags; see --help`,
        );
      }
      throw new UsageError(
        `Unknown flag ${arg.split("=")[0]}${nearest(key, names)}; see --help`,
      );
    },
  });
  const values: Record<string, unknown> = { positional: raw._.map(String) };
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.type === "boolean") {
      values[name] = flag.negatable && !wasGiven(name, args)
        ? undefined
        : raw[name];
    } else if (flag.multiple) {
      values[name] = raw[name].map((text: string) =>
        readValue(name, flag, text)
      );
    } else values[name] = readValue(name, flag, raw[name]);
  }
  return values;
}

/** Whether a boolean flag or its opposite is among the arguments. */
function wasGiven(name: string, args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? undefined : end).some((arg) =>
    arg === `--no-${name}` || arg.split("=")[0] === `--${name}`
  );
}

function readValue(
  name: string,
  flag: Flag,
  text: string | undefined,
): string | number | undefined {
  if (text === undefined) return undefined;
  if (text === "") {
    if (flag.optionalValue) return "";
    throw new UsageError(`--${name} needs a value: ${flag.help}`);
  }
  if (flag.choices && !flag.choices.includes(text)) {
    throw new UsageError(
      `--${name} ${JSON.stringify(text)} is not known${
        nearest(text, flag.choices, "")
      }; choose one of ${flag.choices.join(", ")}`,
    );
  }
  if (flag.type === "string") return text;
  const value = Number(text);
  const wanted = flag.type === "integer" ? "a whole number" : "a number";
  const range = [
    flag.min === undefined ? "" : `at least ${flag.min}`,
    flag.above === undefined ? "" : `above ${flag.above}`,
    flag.max === undefined ? "" : `at most ${flag.max}`,
  ].filter((part) => part).join(" and ");
  if (
    text.trim() === "" || !Number.isFinite(value) ||
    (flag.type === "integer" && !Number.isSafeInteger(value)) ||
    (flag.min !== undefined && value < flag.min) ||
    (flag.above !== undefined && value <= flag.above) ||
    (flag.max !== undefined && value > flag.max)
  ) {
    throw new UsageError(
      `--${name} takes ${wanted}${range ? ` ${range}` : ""}, not ${
        JSON.stringify(text)
      }`,
    );
  }
  return value;
}

function helpText<Flags extends Record<string, Flag>>(
  description: CommandDescription<Flags>,
  flags: Record<string, Flag>,
): string {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const placeholder = flag.placeholder ??
      (flag.type === "string" ? "TEXT" : "N");
    const value = flag.type === "boolean"
      ? ""
      : flag.optionalValue
      ? ` [${placeholder}]`
      : ` ${placeholder}`;
    const choices = flag.choices ? ` (${flag.choices.join(", ")})` : "";
    const no = flag.negatable ? "[no-]" : "";
    return [`  --${no}${name}${value}`, flag.help + choices] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return [
    `Usage: deno task ${description.name} ${description.usage ?? "[FLAGS]"}`,
    "",
    description.summary,
    "",
    ...rows.map(([left, right]) => left.padEnd(width) + right),
  ].join("\n");
}

/** `, did you mean --x?` where a known name is near. */
function nearest(
  name: string,
  known: readonly string[],
  prefix = "--",
): string {
  const best = known
    .map((other) => ({ other, distance: editDistance(name, other) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= Math.max(2, name.length / 3)
    ? `, did you mean ${prefix}${best.other}?`
    : "";
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      ));
    }
    row = next;
  }
  return row[b.length]!;
}
