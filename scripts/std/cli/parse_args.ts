/**
 * A local stand-in for `@std/cli/parse-args`: the subset in use, with the real
 * package's names and behaviour, for machines that cannot reach JSR.
 *
 * @module
 */

/** Options of {@linkcode parseArgs}. */
export interface ParseOptions {
  /** Names always treated as booleans. */
  boolean?: readonly string[];
  /** Names always treated as strings. */
  string?: readonly string[];
  /** Names that may be given several times and are collected into an array. */
  collect?: readonly string[];
  /** Names that `--no-NAME` sets to false. */
  negatable?: readonly string[];
  /** Other names: short to long or long to short. */
  alias?: Record<string, string | readonly string[]>;
  /** Default values. */
  default?: Record<string, unknown>;
  /** Stop parsing at the first argument that is not an option. */
  stopEarly?: boolean;
  /** Called for each argument not named above; false leaves it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Result of {@linkcode parseArgs}: the arguments that are not options, and each option. */
export interface Args {
  /** Arguments that are not options. */
  _: Array<string | number>;
  // deno-lint-ignore no-explicit-any
  [name: string]: any;
}

function isNumber(text: string): boolean {
  return /^0x[0-9a-f]+$/i.test(text) || /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text);
}

/** Parses command line arguments into an object. */
export function parseArgs(args: readonly string[], options: ParseOptions = {}): Args {
  const booleans = new Set(options.boolean ?? []);
  const strings = new Set(options.string ?? []);
  const collected = new Set(options.collect ?? []);
  const negatable = new Set(options.negatable ?? []);
  const aliases = new Map<string, string[]>();
  for (const [name, other] of Object.entries(options.alias ?? {})) {
    const names = [name, ...(typeof other === "string" ? [other] : other)];
    for (const one of names) aliases.set(one, names.filter((n) => n !== one));
  }
  for (const set of [booleans, strings, collected, negatable]) {
    for (const name of [...set]) for (const other of aliases.get(name) ?? []) set.add(other);
  }
  const known = new Set([...booleans, ...strings, ...collected, ...negatable, ...aliases.keys()]);
  const result: Args = { _: [] };

  function set(name: string, raw: unknown, arg: string): void {
    if (!known.has(name) && options.unknown && options.unknown(arg, name, raw) === false) return;
    const value = typeof raw === "string" && !strings.has(name) && isNumber(raw)
      ? Number(raw)
      : raw;
    for (const one of [name, ...(aliases.get(name) ?? [])]) {
      if (collected.has(one)) {
        result[one] = [...(Array.isArray(result[one]) ? result[one] : []), value];
      } else result[one] = value;
    }
  }

  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const next = args[i + 1];
    if (arg === "--") {
      result._.push(...args.slice(i + 1));
      break;
    }
    const long = /^--([^=]+)(?:=([\s\S]*))?$/.exec(arg);
    if (long) {
      const name = long[1]!;
      const given = long[2];
      if (given !== undefined) {
        set(name, booleans.has(name) ? given !== "false" : given, arg);
      } else if (name.startsWith("no-") && negatable.has(name.slice(3))) {
        set(name.slice(3), false, arg);
      } else if (booleans.has(name)) {
        if (next === "true" || next === "false") {
          set(name, next === "true", arg);
          i++;
        } else set(name, true, arg);
      } else if (next !== undefined && (!next.startsWith("-") || isNumber(next))) {
        set(name, next, arg);
        i++;
      } else set(name, strings.has(name) ? "" : true, arg);
      continue;
    }
    if (/^-[^-0-9.]/.test(arg)) {
      const letters = arg.slice(1);
      for (let j = 0; j < letters.length; j++) {
        const name = letters[j]!;
        const rest = letters.slice(j + 1);
        if (booleans.has(name) || (rest === "" && (next === undefined || next.startsWith("-")))) {
          set(name, strings.has(name) ? "" : true, arg);
        } else if (rest !== "") {
          set(name, rest.replace(/^=/, ""), arg);
          break;
        } else {
          set(name, next, arg);
          i++;
        }
      }
      continue;
    }
    if (options.unknown && options.unknown(arg) === false) continue;
    if (options.stopEarly) {
      result._.push(...args.slice(i));
      break;
    }
    result._.push(strings.has("_") || !isNumber(arg) ? arg : Number(arg));
  }

  for (const [name, value] of Object.entries(options.default ?? {})) {
    for (const one of [name, ...(aliases.get(name) ?? [])]) result[one] ??= value;
  }
  for (const name of booleans) result[name] ??= false;
  for (const name of collected) result[name] ??= [];
  return result;
}
