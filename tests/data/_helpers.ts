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
