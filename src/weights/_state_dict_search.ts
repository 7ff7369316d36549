import { bad } from "./_pickle_read.ts";
import { quote } from "./_quote.ts";

/** Where checkpoints keep the state dict, in order of preference. */
const USUAL_KEYS = [
  "state_dict",
  "model_state_dict",
  "model_state",
  "model",
  "net",
  "network",
  "params",
  "weights",
];

/** Prefixes that wrappers of a network put before each name. */
const WRAPPER_PREFIXES = {
  "module.": "data-parallel training",
  "_orig_mod.": "torch.compile",
};

/**
 * Finds the state dict in what a file holds: the dict itself, or one at a
 * usual key of a checkpoint.
 */
export function findStateDict<T>(
  value: unknown,
  isTensor: (value: unknown) => value is T,
): { tensors: Map<string, T>; notes: string[] } {
  const notes: string[] = [];
  let dict = value;
  // A checkpoint in a checkpoint is as deep as they are seen.
  for (let depth = 0; depth < 3; depth++) {
    if (!(dict instanceof Map)) break;
    if ([...dict.values()].some(isTensor)) {
      return {
        tensors: unwrap(tensorsOf(dict, isTensor, notes), notes),
        notes,
      };
    }
    const dicts = [...dict].filter(([, child]) => child instanceof Map);
    const key = USUAL_KEYS.find((usual) => dicts.some(([k]) => k === usual)) ??
      (dicts.length === 1 ? dicts[0]![0] : undefined);
    if (key === undefined) break;
    notes.push(`Read the state dict at ${keyText(key)}`);
    dict = dict.get(key);
  }
  bad(
    `it holds ${describe(value)}, expected a state dict: tensors by name, or ` +
      `a checkpoint with one at "state_dict" or "model"`,
  );
}

function tensorsOf<T>(
  dict: Map<unknown, unknown>,
  isTensor: (value: unknown) => value is T,
  notes: string[],
): Map<string, T> {
  const tensors = new Map<string, T>();
  const skipped: string[] = [];
  for (const [key, value] of dict) {
    if (typeof key === "string" && isTensor(value)) tensors.set(key, value);
    else skipped.push(keyText(key));
  }
  if (skipped.length > 0) {
    notes.push(`Left out what is no tensor: ${list(skipped)}`);
  }
  return tensors;
}

function unwrap<T>(tensors: Map<string, T>, notes: string[]): Map<string, T> {
  let result = tensors;
  for (const [prefix, origin] of Object.entries(WRAPPER_PREFIXES)) {
    const names = [...result.keys()];
    if (!names.every((name) => name.startsWith(prefix))) continue;
    result = new Map(
      [...result].map(([name, value]) => [name.slice(prefix.length), value]),
    );
    notes.push(`Removed the prefix "${prefix}" of ${origin} from all names`);
  }
  return result;
}

function describe(value: unknown): string {
  if (value instanceof Map) {
    const keys = [...value.keys()].map((key) => keyText(key));
    return keys.length === 0
      ? "an empty dict"
      : `a dict with ${list(keys)} and no tensors`;
  }
  if (Array.isArray(value)) return "a list";
  if (value === null) return "None";
  return typeof value === "object" ? "a single value" : `a ${typeof value}`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}

/** A key for a message; only texts are spelt out, others may be endless. */
function keyText(key: unknown): string {
  if (typeof key === "string") return quote(key);
  return typeof key === "number" ? String(key) : "a key that is no text";
}
