import { GapcamError } from "../../error.ts";

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
