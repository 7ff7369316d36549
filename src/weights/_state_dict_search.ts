import { bad, PickleTuple } from "./_pickle_values.ts";
import { few, quote } from "./_quote.ts";
import { NAME_LIMIT, unwrapNames } from "./_wrappers.ts";

/**
 * How well tensors fit what is wanted: how many of them have a name and a shape
 * that do. Of all dicts in a file the one that fits best is taken.
 */
export type WeightsFit = (
  shapes: ReadonlyMap<string, readonly number[]>,
) => number;

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

/** A checkpoint in a checkpoint in a checkpoint; nobody writes deeper ones. */
const DEPTH_LIMIT = 8;

/**
 * Most dicts that are looked into, from the outside in, and most tensors of
 * one. An optimiser keeps a small dict for each of a network's tensors; a
 * pickle of a few bytes each could have a million of both.
 */
const DICT_LIMIT = 10_000;
const TENSOR_LIMIT = 50_000;

/** A dict with tensors in it, and the keys on the way there. */
interface Candidate {
  dict: Map<unknown, unknown>;
  place: readonly unknown[];
}

/** A candidate that was looked into. */
interface Measured<T> extends Candidate {
  tensors: Map<string, T>;
  notes: string[];
  fit: number;
}

/**
 * Finds the state dict in what a file holds: of all dicts of tensors, however
 * deep, the one that fits best. An average of the weights or an optimiser's
 * state may have the same names; the weights themselves come first.
 *
 * @param fit What is wanted. Default: names of layers' tensors.
 */
export function findStateDict<T extends { shape: readonly number[] }>(
  value: unknown,
  isTensor: (value: unknown) => value is T,
  fit?: WeightsFit,
): { tensors: Map<string, T>; notes: string[] } {
  const found = candidatesIn(value, isTensor).map((candidate) =>
    measure(candidate, isTensor)
  );
  if (fit) { for (const one of found) one.fit = fit(shapesOf(one.tensors)); }
  if (!found.some((one) => one.fit > 0)) {
    for (const one of found) one.fit = layerNames(shapesOf(one.tensors));
  }
  // The sort is stable, and the search goes from the outside in.
  const [best, next] = found.sort((a, b) =>
    b.fit - a.fit || rank(a.place) - rank(b.place)
  );
  if (!best) {
    bad(
      `it holds ${describe(value)}, expected a state dict: tensors by name, ` +
        `or a checkpoint with one at "state_dict" or "model"`,
    );
  }
  const notes: string[] = [];
  if (best.place.length > 0) {
    notes.push(`Read the state dict at ${placeText(best.place)}`);
  }
  if (next && next.fit === best.fit && best.fit > 0) {
    notes.push(`That at ${placeText(next.place)} would fit as well`);
  }
  const skipped = [...best.dict].filter(([key, child]) =>
    typeof key !== "string" || !isTensor(child)
  ).map(([key]) => keyText(key));
  if (skipped.length > 0) {
    notes.push(
      `Left out what is no tensor of real numbers: ${few(skipped, String)}`,
    );
  }
  return { tensors: best.tensors, notes: [...notes, ...best.notes] };
}

/** Every dict with a tensor under a text, each once, from the outside in. */
function candidatesIn(
  value: unknown,
  isTensor: (value: unknown) => boolean,
): Candidate[] {
  const found: Candidate[] = [];
  // A pickle may hold itself, and one dict at any number of places.
  const seen = new Set<unknown>([value]);
  let level: { value: unknown; place: readonly unknown[] }[] = [
    { value, place: [] },
  ];
  for (let depth = 0; depth <= DEPTH_LIMIT && level.length > 0; depth++) {
    const below: typeof level = [];
    for (const { value, place } of level) {
      let holds = false;
      for (const [key, child] of itemsOf(value)) {
        if (isTensor(child)) holds ||= typeof key === "string";
        else if (isContainer(child) && !seen.has(child)) {
          seen.add(child);
          below.push({ value: child, place: [...place, key] });
        }
      }
      if (holds && value instanceof Map) found.push({ dict: value, place });
    }
    if (found.length > DICT_LIMIT) return found.slice(0, DICT_LIMIT);
    level = below;
  }
  return found;
}

type Container =
  | ReadonlyMap<unknown, unknown>
  | readonly unknown[]
  | PickleTuple;

function isContainer(value: unknown): value is Container {
  return value instanceof Map || Array.isArray(value) ||
    value instanceof PickleTuple;
}

function itemsOf(value: unknown): Iterable<[unknown, unknown]> {
  if (!isContainer(value)) return [];
  return value instanceof PickleTuple ? value.items.entries() : value.entries();
}

function measure<T>(
  candidate: Candidate,
  isTensor: (value: unknown) => value is T,
): Measured<T> {
  const named = new Map<string, T>();
  for (const [key, child] of candidate.dict) {
    if (typeof key === "string" && isTensor(child)) named.set(key, child);
    if (named.size > TENSOR_LIMIT) {
      bad(`it has more than ${TENSOR_LIMIT} tensors in one dict`);
    }
  }
  return { ...candidate, ...unwrapNames(named), fit: 0 };
}

function shapesOf(
  tensors: ReadonlyMap<string, { shape: readonly number[] }>,
): Map<string, readonly number[]> {
  return new Map([...tensors].map(([name, { shape }]) => [name, shape]));
}

/** How many names are those of a layer's tensors. */
function layerNames(
  shapes: ReadonlyMap<string, readonly number[]>,
): number {
  let count = 0;
  for (const name of shapes.keys()) {
    if (name.length > NAME_LIMIT) continue;
    if (/(^|\.)(weight|bias|running_mean|running_var)$/.test(name)) count++;
  }
  return count;
}

/** What comes first of dicts that fit alike: the least. */
function rank(place: readonly unknown[]): number {
  return Math.max(
    0,
    ...place.map((key) => {
      if (typeof key !== "string" || key.length > NAME_LIMIT) return 10;
      if (/optim|sched|scaler|moment|exp_avg/i.test(key)) return 30;
      if (/ema|avg|average|teacher|swa|best/i.test(key)) return 20;
      const usual = USUAL_KEYS.indexOf(key);
      return usual < 0 ? 9 : usual + 1;
    }),
  );
}

function describe(value: unknown): string {
  if (value instanceof Map) {
    const keys = [...value.keys()].map((key) => keyText(key));
    return keys.length === 0
      ? "an empty dict"
      : `a dict with ${few(keys, String)} and no tensors`;
  }
  if (Array.isArray(value)) return "a list";
  if (value === null) return "None";
  return typeof value === "object" ? "a single value" : `a ${typeof value}`;
}

function placeText(place: readonly unknown[]): string {
  return place.length === 0
    ? "the file's top"
    : place.map((key) => keyText(key)).join(", ");
}

/** A key for a message; only texts are spelt out, others may be endless. */
function keyText(key: unknown): string {
  if (typeof key === "string") return quote(key);
  return typeof key === "number" ? String(key) : "a key that is no text";
}
