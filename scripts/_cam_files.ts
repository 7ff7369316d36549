/**
 * Writes the pictures of an explained image.
 *
 * @module
 */

import { encodeNpy } from "../src/cam/encode_npy.ts";
import type { FloatMap } from "../src/image/float_map.ts";
import { encodePng } from "../src/image/encode_png.ts";
import { type Look, picturesOf } from "./_cam_pictures.ts";
import { type Result, resultOf, textsOf } from "./_cam_result.ts";
import type { Subject } from "./_explain.ts";
import { writeFile } from "./_pictures.ts";

/** Where pictures go, how they look, and what their files say. */
export interface PictureFiles {
  folder: string;
  look: Look;
  /** What is added to names, by kind. */
  suffixes: { cam: string; plain: string; map: string };
  /** Texts of every file. */
  origin: Record<string, string>;
  /** Whether maps are written as numbers too. */
  raw: boolean;
}

/** Writes an image's pictures, and says what is in them. */
export async function writePictures(
  subject: Subject,
  { folder, look, suffixes, origin, raw }: PictureFiles,
): Promise<Result> {
  const { result, files } = encodedPictures(subject, { look, origin });
  for (const [kind, bytes] of files) {
    const suffix = kind === "plain" ? suffixes.plain : suffixes.cam;
    const path = `${folder}/${subject.name}-${kind}${suffix}.png`;
    await writeFile(path, bytes());
    result.files.push(path);
  }
  if (raw) {
    for (const [method, map] of mapsOf(subject)) {
      const path = `${folder}/${subject.name}-map${method}${suffixes.map}.npy`;
      await writeFile(path, encodeNpy(map));
      result.files.push(path);
    }
  }
  return result;
}

/** The files of an image's pictures by kind, each made when it is asked for. */
export function encodedPictures(
  subject: Subject,
  { look, origin }: Pick<PictureFiles, "look" | "origin">,
): { result: Result; files: Map<string, () => Uint8Array> } {
  const result = resultOf(subject, { classes: look.classes, look });
  const text = { ...origin, ...textsOf(result) };
  const files = new Map(
    Object.entries(picturesOf(subject, look)).map((
      [kind, image],
    ) => [kind, () => encodePng(image, { text })]),
  );
  return { result, files };
}

/** What every picture's file says of the network, by its checkpoint's checksum. */
export function originOf(hash: string): Record<string, string> {
  return { Software: "gapcam", Checkpoint: `sha256 ${hash}` };
}

/** An image's maps, by what their files' names say of the method. */
function mapsOf({ explanation }: Subject): [string, FloatMap][] {
  return explanation.all?.flatMap(({ facts, explanation }) =>
    explanation ? [[`-${facts.name}`, explanation.map] as const] : []
  ).map(([name, map]) => [name, map]) ?? [["", explanation.map]];
}

/** The checksum of a file. */
export async function hashOf(path: string): Promise<string> {
  const bytes = await Deno.readFile(path);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(
    new Uint8Array(digest),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}
