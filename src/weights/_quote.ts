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

/** A name as it is; in quotes where it could be something else on a terminal. */
export function nameText(name: string): string {
  return /^[\w.-]{1,100}$/.test(name) ? name : quote(name);
}

/** The first names of a list, and how many more there are. */
export function few(
  names: readonly string[],
  text: (name: string) => string = nameText,
): string {
  const shown = names.slice(0, 8).map((name) => text(name)).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}
