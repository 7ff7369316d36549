import { GapcamError } from "../error.ts";
import type { SourceFile } from "./_dataset_sources.ts";
import { readDataFile } from "./_read_data_file.ts";
import { parseIdx } from "./idx.ts";

/** 60,000 images of 28 x 28 and room for larger sets of the same format. */
export const IDX_LIMIT = 512 * 2 ** 20;

/**
 * What is wrong with a file's form, such as `a web page, expected an IDX file`;
 * undefined if nothing is. Its content is not compared with the publisher's.
 */
export function problemOf(path: string, file: SourceFile): string | undefined {
  const { size } = Deno.statSync(path);
  if (file.record !== undefined && (size === 0 || size % file.record !== 0)) {
    return `${size} bytes, expected a multiple of ${file.record}`;
  }
  if (file.dimensions === undefined) return undefined;
  const expected = `an IDX file of ${file.dimensions} dimensions`;
  try {
    const bytes = readDataFile(path, IDX_LIMIT, { unpack: true });
    if (looksLikePage(bytes)) return `a web page, expected ${expected}`;
    const { shape } = parseIdx(bytes);
    return shape.length === file.dimensions
      ? undefined
      : `${shape.length} dimensions, expected ${expected}`;
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    return `something else (${
      error.message.replace(/^Cannot [^:]*: /, "")
    }), expected ${expected}`;
  }
}

/** Whether bytes begin as a web page does. */
export function looksLikePage(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, 256));
  return /^\s*<(!doctype|html|head|\?xml)/i.test(start);
}
