import { printable } from "../_printable.ts";

/** A name from a file in quotes, cut where a hostile one would fill the screen. */
export function quote(name: string): string {
  const cut = name.length > 100 ? `${name.slice(0, 97)}...` : name;
  return printable(JSON.stringify(cut), Infinity);
}

/** Sizes in brackets, cut likewise. */
export function shapeText(shape: readonly number[]): string {
  return shape.length > 8 ? `[${shape.slice(0, 8)},...]` : `[${shape}]`;
}
