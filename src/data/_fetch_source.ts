import type { Hash } from "node:crypto";
import { nodeCrypto } from "../_node.ts";
import { GapcamError } from "../error.ts";
import type { DatasetSource, SourceFile } from "./_dataset_sources.ts";
import {
  download,
  type DownloadOptions,
  removePart,
  RestartError,
  writeFailure,
} from "./_download.ts";
import { type MemberSink, TarReader } from "./_tar_reader.ts";

/** Options of {@linkcode fetchSource}. */
export type FetchSourceOptions = Omit<DownloadOptions, "part" | "bytes">;

/** A server that never continues would otherwise be asked for ever. */
const MOST_RESTARTS = 3;

/**
 * Fetches the files of a source into a folder. Each appears under its name
 * only when it is complete and checked.
 *
 * @returns Whether anything had to be fetched.
 * @throws {GapcamError} If a file cannot be had or is not what it should be.
 */
export async function fetchSource(
  source: DatasetSource,
  folder: string,
  options: FetchSourceOptions,
): Promise<boolean> {
  const missing = await absentFiles(source.files, folder);
  if (missing.every((file) => file.optional)) return false;
  makeFolder(folder);
  if (source.archive) {
    await restarting(options.name, () => unpack(source, folder, options));
    return true;
  }
  for (const file of missing) {
    await restarting(
      options.name,
      () => fetchFile(source.url + file.name, file, folder, options),
    );
  }
  return true;
}

async function restarting(name: string, once: () => Promise<void>) {
  for (let restarts = 0;; restarts++) {
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof RestartError)) throw error;
      if (restarts < MOST_RESTARTS) continue;
      throw new GapcamError(
        "io",
        `Cannot fetch ${name}: the connection is cut again and again and the ` +
          "server does not continue from where it was",
      );
    }
  }
}

async function fetchFile(
  url: string,
  file: SourceFile,
  folder: string,
  options: FetchSourceOptions,
): Promise<void> {
  const path = `${folder}/${file.name}`;
  const part = `${path}.part`;
  const hash = nodeCrypto().createHash("md5");
  const stream = download(url, {
    ...options,
    name: file.name,
    part,
    bytes: file.bytes,
  });
  for await (const chunk of stream) hash.update(chunk);
  const found = hash.digest("hex");
  if (file.md5 !== undefined && found !== file.md5) {
    removePart(part);
    throw wrongChecksum(file.name, found, file.md5);
  }
  Deno.renameSync(part, path);
  removePart(part);
}

async function unpack(
  source: DatasetSource,
  folder: string,
  options: FetchSourceOptions,
): Promise<void> {
  const archive = source.archive!;
  const part = `${folder}/${source.url.replace(/^.*\//, "")}.part`;
  const wanted = new Map(source.files.map((file) => [file.name, file]));
  const complete = new Map<string, string>();
  const open: MemberFile[] = [];
  const enough = () =>
    source.files.every((file) =>
      file.optional || (file.md5 !== undefined && complete.has(file.name))
    );
  const tar = new TarReader((name, size) => {
    const file = wanted.get(name);
    if (!file) return Promise.resolve(undefined);
    const member = new MemberFile(file, folder, {
      size,
      done: (path) => complete.set(file.name, path),
    });
    open.push(member);
    return Promise.resolve(member);
  });
  const controller = new AbortController();
  const signal = options.signal
    ? AbortSignal.any([options.signal, controller.signal])
    : controller.signal;
  const hash = nodeCrypto().createHash("md5");
  const packed = hashed(
    download(source.url, { ...options, part, bytes: archive.bytes, signal }),
    hash,
  );
  let ended = true;
  try {
    const stream = ReadableStream.from(packed)
      .pipeThrough(new DecompressionStream("gzip"));
    for await (const chunk of stream) {
      await tar.write(chunk);
      if (!enough()) continue;
      ended = false;
      // Nothing more is wanted: do not wait for the server.
      controller.abort();
      break;
    }
    if (ended) {
      tar.end();
      const found = hash.digest("hex");
      if (archive.md5 !== undefined && found !== archive.md5) {
        throw wrongChecksum(options.name, found, archive.md5);
      }
    }
    for (const file of source.files) {
      if (file.optional || complete.has(file.name)) continue;
      throw new GapcamError(
        "bad-data",
        `Cannot unpack ${options.name}: ${source.url} has no ${file.name}`,
      );
    }
    for (const [name, path] of complete) {
      Deno.renameSync(path, `${folder}/${name}`);
    }
    removePart(part);
  } catch (error) {
    // What came is not what it should be: going on from it would not help.
    if (error instanceof GapcamError && error.code === "bad-data") {
      removePart(part);
    }
    if (error instanceof TypeError) {
      removePart(part);
      throw new GapcamError(
        "bad-data",
        `Cannot unpack ${options.name}: the archive from ${source.url} is ` +
          "truncated or damaged and was removed; run the command again",
        { cause: error },
      );
    }
    throw error;
  } finally {
    controller.abort();
    for (const member of open) member.discard();
  }
}

async function* hashed<Bytes extends Uint8Array>(
  chunks: AsyncIterable<Bytes>,
  hash: Hash,
): AsyncGenerator<Bytes, void, void> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

/** Writes a member beside its final name and checks it. */
class MemberFile implements MemberSink {
  readonly #path: string;
  readonly #wanted: SourceFile;
  readonly #done: (path: string) => void;
  readonly #hash = nodeCrypto().createHash("md5");
  #file: Deno.FsFile | undefined;

  constructor(
    wanted: SourceFile,
    folder: string,
    options: { size: number; done: (path: string) => void },
  ) {
    const { size, done } = options;
    if (wanted.bytes !== undefined && size !== wanted.bytes) {
      throw new GapcamError(
        "bad-data",
        `Cannot unpack ${wanted.name}: it has ${size} bytes, expected ` +
          wanted.bytes,
      );
    }
    this.#wanted = wanted;
    this.#done = done;
    this.#path = `${folder}/${wanted.name}.part`;
    makeFolder(this.#path.replace(/\/[^/]*$/, ""));
    try {
      this.#file = Deno.openSync(this.#path, {
        create: true,
        write: true,
        truncate: true,
      });
    } catch (error) {
      throw writeFailure(this.#path, error);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    try {
      for (let at = 0; at < bytes.length;) {
        at += await this.#file!.write(bytes.subarray(at));
      }
    } catch (error) {
      throw writeFailure(this.#path, error);
    }
  }

  close(): Promise<void> {
    this.#file?.close();
    this.#file = undefined;
    const found = this.#hash.digest("hex");
    const { name, md5 } = this.#wanted;
    if (md5 !== undefined && found !== md5) {
      throw wrongChecksum(name, found, md5);
    }
    this.#done(this.#path);
    return Promise.resolve();
  }

  /** Removes what was not renamed to its final name. */
  discard(): void {
    this.#file?.close();
    this.#file = undefined;
    removePart(this.#path);
  }
}

function makeFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw writeFailure(folder, error);
  }
}

function wrongChecksum(name: string, found: string, expected: string) {
  return new GapcamError(
    "bad-data",
    `Cannot fetch ${name}: its MD5 checksum is ${found}, expected ` +
      `${expected}; it was removed, run the command again`,
  );
}

/** The files that are not there as they should be. */
async function absentFiles(
  files: readonly SourceFile[],
  folder: string,
): Promise<SourceFile[]> {
  const absent: SourceFile[] = [];
  for (const file of files) {
    const path = `${folder}/${file.name}`;
    try {
      const { size } = Deno.statSync(path);
      const right = file.bytes === undefined || size === file.bytes;
      if (!right || (file.md5 && await md5Of(path) !== file.md5)) {
        absent.push(file);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        throw writeFailure(path, error);
      }
      absent.push(file);
    }
  }
  return absent;
}

async function md5Of(path: string): Promise<string> {
  const hash = nodeCrypto().createHash("md5");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1024 * 1024);
  for (;;) {
    const count = await file.read(buffer);
    if (count === null) return hash.digest("hex");
    hash.update(buffer.subarray(0, count));
  }
}
