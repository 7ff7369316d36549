import { findHead } from "./_head.ts";
import { findPrefix } from "./_match_names.ts";
import { quote } from "./_quote.ts";
import type { HostTensor } from "../host_tensor.ts";
import type { StoredTensor } from "./stored_tensor.ts";
import { unwrapNames } from "./_wrappers.ts";

/** Which of a file's tensors stands for which of a model's. */
export interface NameMatch {
  /** The file's tensors, wrappers taken out of their names. */
  tensors: Map<string, HostTensor | StoredTensor>;
  /** The file's names by the model's, where there is one. */
  sources: Map<string, string>;
  /** What was renamed, one sentence each. */
  notes: string[];
}

/** A part of a model in which layers are numbered, such as `features.`. */
const TRUNK = "features.";
/** The linear layer behind it. */
const HEAD = "classifier";

/**
 * Finds a model's tensors among weights under other names: behind a prefix,
 * with another name of the trunk or of the head.
 */
export function matchNames(
  parameters: readonly { name: string; shape: readonly number[] }[],
  weights: ReadonlyMap<string, HostTensor | StoredTensor>,
): NameMatch {
  const { tensors, notes } = parameters.every(({ name }) => weights.has(name))
    ? { tensors: new Map(weights), notes: [] }
    : unwrapNames(weights);
  const shapes = new Map(
    [...tensors].map(([name, { shape }]) => [name, shape]),
  );
  const wanted = new Map(parameters.map(({ name, shape }) => [name, shape]));
  const whole = findPrefix(shapes, wanted);
  const trunk = findPrefix(
    shapes,
    new Map(
      parameters.filter(({ name }) => name.startsWith(TRUNK))
        .map(({ name, shape }) => [name.slice(TRUNK.length), shape]),
    ),
  );
  let wrapper = whole?.prefix ?? "";
  let prefix = wrapper + TRUNK;
  const found = parameters.filter(({ name, shape }) =>
    name.startsWith(TRUNK) &&
    shapes.get(wrapper + name)?.join() === shape.join()
  ).length;
  if (trunk && trunk.fits > found) {
    prefix = trunk.prefix;
    wrapper = prefix.replace(/[^.]*\.$/, "");
  }
  const sources = new Map<string, string>();
  for (const { name } of parameters) {
    const source = name.startsWith(TRUNK)
      ? prefix + name.slice(TRUNK.length)
      : wrapper + name;
    if (shapes.has(source)) sources.set(name, source);
  }
  if (wrapper !== "") notes.push(`Removed the prefix ${quote(wrapper)}`);
  if (prefix !== wrapper + TRUNK) {
    notes.push(`Took ${quote(`${prefix}N`)} for the layers of the trunk`);
  }
  const weight = wanted.get(`${HEAD}.weight`);
  if (weight?.length === 2 && !sources.has(`${HEAD}.weight`)) {
    const outside = [...shapes.keys()].filter((name) =>
      !(name.startsWith(prefix) && /^\d+\./.test(name.slice(prefix.length)))
    );
    const head = findHead(shapes, outside, {
      usual: wrapper + HEAD,
      features: weight[1]!,
    });
    if (head) {
      notes.push(`Took ${quote(head.base)} as the head`);
      for (const kind of ["weight", "bias"]) {
        const source = `${head.base}.${kind}`;
        if (shapes.has(source)) sources.set(`${HEAD}.${kind}`, source);
      }
    }
  }
  return { tensors, sources, notes };
}
