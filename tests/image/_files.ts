import { bytesOf, FIXTURES } from "./_reference.ts";

interface FileEntry {
  name: string;
  file: Uint8Array;
  height: number;
  width: number;
  channels: 1 | 3;
  expected: Uint8Array;
}

interface FitEntry {
  height: number;
  width: number;
  size: number;
  data: Uint8Array;
  expected: Uint8Array;
}

/** Files, and what Pillow and torchvision make of them. */
export const files: { png: FileEntry[]; jpeg: FileEntry[]; fit: FitEntry[] } =
  JSON.parse(
    Deno.readTextFileSync(new URL("files.json", FIXTURES)),
    (key, value) =>
      ["file", "data", "expected"].includes(key) ? bytesOf(value) : value,
  );

/** The JPEG file of a name. */
export function jpegNamed(name: string): FileEntry {
  return files.jpeg.find((entry) => entry.name === name)!;
}
