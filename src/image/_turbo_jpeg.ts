/** The part that we use of the WebAssembly build of libjpeg-turbo. */
interface TurboModule {
  readonly HEAPU8: Uint8Array;
  readonly JPEGDecoder: new () => TurboDecoder;
}

interface TurboDecoder {
  /** Memory for a file of this many bytes. */
  getEncodedBuffer(length: number): Uint8Array;
  /** Decodes it; throws on an error and on what the library only warns of. */
  decode(): void;
  /** A view of the pixels, grey or RGB. */
  getDecodedBuffer(): ArrayLike<number>;
  delete(): void;
}

/**
 * The heap of a WebAssembly module never shrinks, and a decoder that throws
 * leaks about half a megabyte: beyond this many bytes the module is given up.
 */
const HEAP_LIMIT = 192 * 2 ** 20;

let loading: Promise<TurboModule> | undefined;

/**
 * Decodes a JPEG of one component to grey, of three to RGB, as libjpeg-turbo
 * does by default (exact inverse DCT, smooth chroma).
 */
export async function decodeWithTurbo(bytes: Uint8Array): Promise<Uint8Array> {
  const current = loading ??= load();
  let module: TurboModule;
  try {
    module = await current;
  } catch (error) {
    if (loading === current) loading = undefined;
    throw error;
  }
  const decoder = new module.JPEGDecoder();
  let intact = false;
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const pixels = new Uint8Array(decoder.getDecodedBuffer());
    intact = true;
    return pixels;
  } catch (error) {
    if (typeof error !== "number") throw error;
    // Emscripten throws the address of a C++ exception; the module lives on.
    intact = true;
    throw new Error("libjpeg-turbo refused the data");
  } finally {
    if (intact) decoder.delete();
    const spent = !intact || module.HEAPU8.length > HEAP_LIMIT;
    if (spent && loading === current) loading = undefined;
  }
}

async function load(): Promise<TurboModule> {
  const { default: factory } = await import(
    "npm:@cornerstonejs/codec-libjpeg-turbo-8bit@^1.2.8/decodewasmjs"
  );
  // A file's damage is ours to report.
  return await (factory as (options: object) => Promise<TurboModule>)({
    print: () => {},
    printErr: () => {},
  });
}
