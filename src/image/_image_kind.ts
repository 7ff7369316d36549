// deno-lint-ignore-file no-control-regex -- files begin with such bytes.

/** Kinds of files that are read as images. */
export type ImageKind =
  | "PNG"
  | "JPEG"
  | "WebP"
  | "GIF"
  | "AVIF"
  | "TIFF"
  | "BMP";

/** What {@linkcode otherKind} knows of a file that is not read. */
export interface OtherKind {
  /** What it is: "a web page". */
  readonly name: string;
  /** What its owner can do. */
  readonly advice: string;
  /** Whether it is a picture at all. */
  readonly picture: boolean;
}

/** The kinds that are read, for messages. */
export const KINDS_READ = "a PNG, JPEG, WebP, GIF, AVIF, TIFF or BMP picture";

/** What kind of image a file is by its first bytes; undefined if none that is read. */
export function imageKind(bytes: Uint8Array): ImageKind | undefined {
  const start = latin(bytes, 0, 16);
  if (start.startsWith("\x89PNG")) return "PNG";
  if (start.startsWith("\xff\xd8")) return "JPEG";
  if (/^RIFF.{4}WEBP/s.test(start)) return "WebP";
  if (/^GIF8[79]a/.test(start)) return "GIF";
  if (/^(II[*+]\0|MM\0[*+])/.test(start)) return "TIFF";
  // The size of the header that follows tells a BMP from text that begins so.
  if (/^BM.{12}[\x0c-\x7f]\0/s.test(start)) return "BMP";
  if (brands(bytes).some((brand) => brand === "avif" || brand === "avis")) {
    return "AVIF";
  }
  return;
}

/** What a file is that is none of the kinds that are read; undefined if unknown. */
export function otherKind(bytes: Uint8Array): OtherKind | undefined {
  const start = latin(bytes, 0, 1024);
  const known = OTHERS.find(({ pattern }) => pattern.test(start));
  if (known) return known;
  const [brand, ...compatible] = brands(bytes);
  if (brand === undefined) return;
  if (HEIF.test([brand, ...compatible].join(" "))) {
    return { name: "a HEIC picture", ...CONVERT };
  }
  return { name: "a video", ...NOT_A_PICTURE };
}

const CONVERT = { advice: "convert it to one", picture: true };
const NOT_A_PICTURE = { advice: "choose a picture", picture: false };
const HEIF = /\b(hei[cxms]|hev[cxms]|mif[12]|msf1)\b/;

const OTHERS: readonly (OtherKind & { readonly pattern: RegExp })[] = [
  {
    pattern: /^version https:\/\/git-lfs/,
    name: "a Git LFS pointer",
    advice: "fetch the file that it stands for with git lfs pull",
    picture: false,
  },
  {
    pattern: /^\0\x05\x16\x07/,
    name: "a companion file of macOS (AppleDouble)",
    advice: "take the file of that name without ._ at its start",
    picture: false,
  },
  {
    pattern:
      /^(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*)*(<!doctype svg|<svg)/is,
    name: "an SVG drawing",
    ...CONVERT,
  },
  {
    pattern:
      /^(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(!doctype html|html|head|body|script|meta|title)\b/is,
    name: "a web page",
    advice: "download the picture itself",
    picture: false,
  },
  { pattern: /^(\xef\xbb\xbf)?\s*<\?xml/, name: "XML", ...NOT_A_PICTURE },
  { pattern: /^%PDF-/, name: "a PDF document", ...NOT_A_PICTURE },
  {
    pattern: /^(\xff\x0a|\0\0\0\x0cJXL )/,
    name: "a JPEG XL picture",
    ...CONVERT,
  },
  {
    pattern: /^(\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/,
    name: "a JPEG 2000 picture",
    ...CONVERT,
  },
  { pattern: /^8BPS/, name: "a Photoshop picture", ...CONVERT },
  { pattern: /^\0\0[\x01\x02]\0[^\0]\0/, name: "an icon", ...CONVERT },
  {
    pattern: /^(\x1a\x45\xdf\xa3|RIFF.{4}AVI |\0\0\x01\xba|FLV\x01)/s,
    name: "a video",
    ...NOT_A_PICTURE,
  },
  { pattern: /^PK\x03\x04/, name: "a ZIP archive", ...NOT_A_PICTURE },
  { pattern: /^\x1f\x8b/, name: "gzip data", ...NOT_A_PICTURE },
];

/** The brands of an ISO media file, the major one first. */
function brands(bytes: Uint8Array): string[] {
  if (latin(bytes, 4, 8) !== "ftyp") return [];
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const text = latin(bytes, 8, Math.min(length, 256));
  // Behind the major brand stands a version, which is none.
  return [text.slice(0, 4), ...(text.slice(8).match(/.{4}/gs) ?? [])];
}

function latin(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}
