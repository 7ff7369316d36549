/**
 * The flags of a command: checks, help, and a hint where a name is not known.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

/** One flag of a command, `--name`. */
export interface Flag {
  /** How the value is read; `boolean` flags take none. */
  type: "string" | "integer" | "number" | "boolean";
  /** One line for `--help`. */
  help: string;
  /** What stands for the value in `--help`, such as `FOLDER`. */
  placeholder?: string;
  /** What holds if the flag is left out, as `--help` says it: `(default: 64)`. */
  default?: string;
  /** Older spellings, which still work and say what the name is now. */
  formerly?: readonly string[];
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

/** The flag of commands that show how far they are. */
export const QUIET_FLAG = {
  type: "boolean",
  help: "print the result alone, not how far it is",
} as const satisfies Flag;

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

/** A command line that does not fit the command. */
export class UsageError extends Error {}

/**
 * Reads a command line.
 *
 * @param description The command, for messages.
 * @param flags The flags that it takes.
 * @param given The arguments.
 * @param note Told about each older spelling in use.
 * @returns The values by name, and `positional`.
 * @throws {UsageError} If a flag is not known or its value does not fit.
 */
export function parseFlags(
  description: Pick<
    CommandDescription<Record<string, Flag>>,
    "name" | "positional"
  >,
  flags: Record<string, Flag>,
  given: readonly string[],
  note: (text: string) => void,
): Record<string, unknown> {
  const args = inTodaysSpelling(given, flags, note);
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
      // `-index` reads as the flags i, n, d, ...
      const single = /^-[a-z][a-z-]+/.exec(arg)?.[0].slice(1);
      throw new UsageError(
        `Unknown flag ${arg.split("=")[0]}${
          nearest(single ?? key, names)
        }; see --help`,
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
        readValue(name, flag, text, args)
      );
    } else values[name] = readValue(name, flag, raw[name], args);
  }
  return values;
}

/** The arguments with each older spelling of a flag replaced by its name. */
function inTodaysSpelling(
  args: readonly string[],
  flags: Record<string, Flag>,
  note: (text: string) => void,
): string[] {
  const names = new Map(
    Object.entries(flags).flatMap(([name, { formerly = [] }]) =>
      formerly.map((old) => [`--${old}`, `--${name}`])
    ),
  );
  const end = args.indexOf("--");
  return args.map((arg, i) => {
    const [old, ...value] = arg.split("=");
    const name = names.get(old!);
    if (name === undefined || (end >= 0 && i >= end)) return arg;
    note(`${old} is called ${name} now`);
    return [name, ...value].join("=");
  });
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
  args: readonly string[],
): string | number | undefined {
  if (text === undefined) return undefined;
  if (text === "") {
    if (
      flag.optionalValue && !args.includes("") && !args.includes(`--${name}=`)
    ) {
      return "";
    }
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

/** What `--help` prints. */
export function helpText(
  description: CommandDescription<Record<string, Flag>>,
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
    const fallback = flag.default === undefined
      ? ""
      : ` (default: ${flag.default})`;
    return [
      `  --${no}${name}${value}`,
      flag.help + choices + fallback,
    ] as const;
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

/** What other tools call a flag or a value, and what it is here. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  lr: ["learning-rate"],
  wd: ["weight-decay"],
  optim: ["optimizer"],
  optimiser: ["optimizer"],
  bs: ["batch-size"],
  batch: ["batch-size"],
  "num-epochs": ["epochs"],
  "img-size": ["image-size"],
  imgsz: ["image-size"],
  resolution: ["image-size"],
  arch: ["model"],
  data: ["data-dir", "dataset"],
  weights: ["init", "checkpoint"],
  pretrained: ["init"],
  ckpt: ["checkpoint", "init"],
  run: ["checkpoint", "resume"],
  output: ["out"],
  "output-dir": ["out"],
  count: ["limit"],
  "train-limit": ["limit"],
  "test-limit": ["limit"],
  limit: ["train-limit"],
  cmap: ["colormap"],
  workers: ["threads"],
  // Values.
  gpu: ["device", "cuda"],
  nvidia: ["cuda"],
  fp32: ["f32"],
  float32: ["f32"],
  bfloat16: ["bf16"],
  fp16: ["bf16"],
};

/** `, did you mean --x?` where a known name is near. */
function nearest(
  name: string,
  known: readonly string[],
  prefix = "--",
): string {
  const elsewhere = ELSEWHERE[name]?.find((other) => known.includes(other));
  if (elsewhere) return `, did you mean ${prefix}${elsewhere}?`;
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
