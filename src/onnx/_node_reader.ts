import type { StoredTensor } from "../weights/stored_tensor.ts";
import { Unreadable } from "./_unreadable.ts";
import type { OnnxAttribute, OnnxNode } from "./parse_onnx.ts";

/** One operator after the other, and what its attributes say. */
export class NodeReader {
  readonly #asked = new Set<string>();
  #current!: OnnxNode;

  /** The operator that is read now. */
  get current(): OnnxNode {
    return this.#current;
  }

  /** Begins to read an operator. */
  begin(node: OnnxNode): void {
    this.#current = node;
    this.#asked.clear();
  }

  /** Attributes of the operator that nothing has asked for. */
  get unread(): string[] {
    return [...this.#current.attributes.keys()]
      .filter((name) => !this.#asked.has(name));
  }

  /** An attribute that is a number. */
  number(name: string, fallback: number): number {
    const value = this.#attribute(name);
    if (value === undefined) return fallback;
    if (typeof value === "number") return value;
    throw new Unreadable(`its attribute ${name} is no number`);
  }

  /** An attribute that is 0 or 1. */
  flag(name: string, fallback = false): boolean {
    const value = this.number(name, fallback ? 1 : 0);
    if (value === 0 || value === 1) return value === 1;
    throw new Unreadable(`its ${name} is ${value}, expected 0 or 1`);
  }

  /** An attribute that is a text. */
  text(name: string, fallback: string): string {
    const value = this.#attribute(name);
    if (value === undefined) return fallback;
    if (typeof value === "string") return value;
    throw new Unreadable(`its attribute ${name} is no text`);
  }

  /** An attribute that is a list; undefined if it is left out. */
  numbers(name: string): readonly number[] | undefined {
    const value = this.#attribute(name);
    if (value === undefined || Array.isArray(value)) {
      return value as readonly number[] | undefined;
    }
    throw new Unreadable(`its attribute ${name} is no list of numbers`);
  }

  /** An attribute that is a tensor; undefined if it is left out. */
  tensor(name: string): StoredTensor | undefined {
    const value = this.#attribute(name);
    if (value === undefined) return undefined;
    if (typeof value === "object" && "dtype" in value) return value;
    throw new Unreadable(`its attribute ${name} is no tensor`);
  }

  /** An attribute's presence alone. */
  hasAttribute(name: string): boolean {
    return this.#attribute(name) !== undefined;
  }

  #attribute(name: string): OnnxAttribute | undefined {
    this.#asked.add(name);
    return this.current.attributes.get(name);
  }
}
