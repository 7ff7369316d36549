import { GapcamError } from "../error.ts";
import { quote } from "./_quote.ts";

/** A Python tuple. Lists are arrays, dicts maps, long integers bigints. */
export class PickleTuple {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** Something that a pickle may call: one of ours, never one of Python's. */
export class PickleFunction {
  readonly name: string;
  readonly #body: (args: readonly unknown[]) => unknown;
  constructor(name: string, body: (args: readonly unknown[]) => unknown) {
    this.name = name;
    this.#body = body;
  }
  call(args: readonly unknown[]): unknown {
    return this.#body(args);
  }
}

/** What the reader of a pickle decides. */
export interface PickleContext {
  /** What a global name stands for; throws where it is not known. */
  findGlobal(module: string, name: string): unknown;
  /** What a persistent identifier stands for. */
  findPersistent(id: unknown): unknown;
}

/** Refuses a pickle. */
export function bad(message: string): never {
  throw new GapcamError("bad-data", message);
}

/** Refuses a name that a pickle asks for. */
export function refuseGlobal(module: string, name: string): never {
  const full = quote(`${module}.${name}`).slice(1, -1);
  throw new GapcamError(
    "bad-data",
    `it calls ${full}, and reading weights runs no code from a file; ` +
      "in PyTorch, save model.state_dict() alone",
  );
}

/** A byte as errors show it. */
export function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}
