import { Random } from "../../src/random.ts";

/** Concatenates numbers and byte arrays. */
export function bytes(...parts: (number | ArrayLike<number>)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "number" ? [part] : Array.from(part)
    ),
  );
}

/** A new folder that is removed at the end of the block. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "gapcam_" });
  return {
    path,
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}

/** Writes a file, making its folder. */
export function write(path: string, data: Uint8Array): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.writeFileSync(path, data);
}

/** An IDX file of unsigned bytes. */
export function idx(shape: number[], data: ArrayLike<number>): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint32(0, 0x0800 | shape.length);
  shape.forEach((size, i) => header.setUint32(4 + 4 * i, size));
  return bytes(new Uint8Array(header.buffer), data);
}

/** A tar archive (ustar) of files. */
export function tar(files: Record<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, data] of Object.entries(files)) {
    const header = new Uint8Array(512);
    const put = (text: string, at: number) =>
      header.set(new TextEncoder().encode(text), at);
    put(name, 0);
    put("0000644\0", 100);
    put(data.length.toString(8).padStart(11, "0"), 124);
    put("        ", 148);
    put("0ustar\u000000", 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(sum.toString(8).padStart(6, "0") + "\0", 148);
    parts.push(header, data, new Uint8Array((512 - data.length % 512) % 512));
  }
  return bytes(...parts, new Uint8Array(1024));
}

/** Bytes that do not pack well, the same every time. */
export function noise(length: number, seed = 1): Uint8Array {
  const random = new Random(seed);
  return Uint8Array.from({ length }, () => random.nextUint32());
}
