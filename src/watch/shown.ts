import { encodePng } from "../image/encode_png.ts";
import type { Image } from "../image/image.ts";
import { terminalPicture } from "./_terminal_picture.ts";

/** Something to look at; see {@linkcode show}. */
export class Shown {
  /** In words, or as a table of text. */
  readonly text: string;
  /** As HTML, if it is a table. */
  readonly html: string | undefined;
  /** As the bytes of a PNG file, if it is a picture. */
  readonly png: Uint8Array<ArrayBuffer> | undefined;
  readonly #image: Image | undefined;

  /** Takes what there is to see. */
  constructor(parts: { text: string; html?: string; image?: Image }) {
    this.text = parts.text;
    this.html = parts.html;
    this.#image = parts.image;
    this.png = parts.image && encodePng(parts.image);
  }

  /** A picture, and what it is in words. */
  static picture(image: Image, text: string): Shown {
    return new Shown({ image, text });
  }

  /** What a notebook takes, by the kinds of content. */
  [Symbol.for("Jupyter.display")](): Record<string, string> {
    return {
      "text/plain": this.text,
      ...(this.html === undefined ? {} : { "text/html": this.html }),
      ...(this.png === undefined ? {} : { "image/png": this.png.toBase64() }),
    };
  }

  /** What `console.log` prints. */
  [Symbol.for("Deno.customInspect")](): string {
    const coloured = this.#image !== undefined && !Deno.noColor &&
      Deno.stdout.isTerminal();
    return coloured
      ? `${terminalPicture(this.#image!)}\n${this.text}`
      : this.text;
  }

  /** The same in words. */
  toString(): string {
    return this.text;
  }
}
