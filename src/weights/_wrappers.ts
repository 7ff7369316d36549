/** What wraps a network in PyTorch puts before the names of what it wraps. */
const WRAPPERS: Readonly<Record<string, string>> = {
  module: "data-parallel training",
  _orig_mod: "torch.compile",
  _forward_module: "Lightning Fabric",
  _fsdp_wrapped_module: "fully sharded training",
  _checkpoint_wrapped_module: "activation checkpointing",
};

/**
 * Longest name that is looked into. A pickle may give one long text to any
 * number of dicts for a few bytes each, and no layer is called so.
 */
export const NAME_LIMIT = 256;

/**
 * Takes wrappers out of names, at their beginning and inside:
 * `module.features.0.weight`, `features.module.0.weight`. Where two names would
 * become one, they stay.
 */
export function unwrapNames<T>(
  tensors: ReadonlyMap<string, T>,
): { tensors: Map<string, T>; notes: string[] } {
  let result = new Map(tensors);
  const notes: string[] = [];
  for (const [wrapper, origin] of Object.entries(WRAPPERS)) {
    const prefix = `${wrapper}.`;
    if (![...result.keys()].some((name) => has(name, prefix))) continue;
    let changed = 0;
    const renamed = new Map<string, T>();
    for (const [name, tensor] of result) {
      const short = without(name, wrapper);
      if (short !== name) changed++;
      renamed.set(short, tensor);
    }
    if (changed === 0 || renamed.size < result.size) continue;
    const where = changed === result.size
      ? "all names"
      : `${changed} of ${result.size} names`;
    notes.push(`Removed the prefix "${prefix}" of ${origin} from ${where}`);
    result = renamed;
  }
  return { tensors: result, notes };
}

function has(name: string, prefix: string): boolean {
  return name.length <= NAME_LIMIT && name.includes(prefix);
}

function without(name: string, wrapper: string): string {
  if (!has(name, `${wrapper}.`)) return name;
  const parts = name.split(".");
  // The last part is the tensor's own.
  return parts.filter((part, i) => part !== wrapper || i === parts.length - 1)
    .join(".");
}
