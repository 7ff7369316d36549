import { GapcamError } from "../../error.ts";
import type { AnyPadding, HeldPadding } from "./_checks.ts";

/** A layer's description that anybody may have written, read value by value. */
export class LayerJson {
  readonly #values: Readonly<Record<string, unknown>>;
  /** The kind that it names. */
  readonly kind: string;

  /**
   * @throws {GapcamError} If it is no object, or names no kind.
   */
  constructor(json: unknown) {
    if (typeof json !== "object" || json === null) {
      throw new GapcamError(
        "bad-data",
        "a layer is not described by an object",
      );
    }
    this.#values = json as Record<string, unknown>;
    const { kind } = this.#values;
    if (typeof kind !== "string") {
      throw new GapcamError("bad-data", "a layer does not say its kind");
    }
    this.kind = kind;
  }

  /** Whatever is there. */
  value(name: string): unknown {
    return this.#values[name];
  }

  /** A finite number. */
  number(name: string): number {
    const value = this.#values[name];
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw new GapcamError("bad-data", `${this.kind} has no number ${name}`);
  }

  /** What numbers there are: none where the name is missing. */
  numbers(name: string): number[] | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    if (
      Array.isArray(value) &&
      value.every((one) => typeof one === "number" && Number.isFinite(one))
    ) return value;
    throw new GapcamError("bad-data", `${this.kind} has no numbers ${name}`);
  }

  /** Padding: two or four numbers. */
  padding(name: string): HeldPadding {
    const value = this.numbers(name);
    if (value?.length === 2 || value?.length === 4) {
      return value as unknown as HeldPadding;
    }
    throw new GapcamError("bad-data", `${this.kind} has no ${name}`);
  }

  /** Padding, or the word for what goes by the size. */
  anyPadding(name: string): AnyPadding {
    return this.#values[name] === "same" ? "same" : this.padding(name);
  }

  /** Two numbers. */
  pair(name: string): [number, number] {
    const value = this.#values[name];
    if (
      Array.isArray(value) && value.length === 2 &&
      value.every((one) => typeof one === "number")
    ) return value as [number, number];
    throw new GapcamError("bad-data", `${this.kind} has no pair ${name}`);
  }

  /** Whether a flag is set; it is where it is missing. */
  flag(name: string): boolean {
    return this.#values[name] !== false;
  }
}
