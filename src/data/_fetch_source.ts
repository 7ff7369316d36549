import type { Hash } from "node:crypto";
import { osReason } from "../_files.ts";
import { nodeCrypto } from "../_node.ts";
import { GapcamError } from "../error.ts";
import type { DatasetSource, SourceFile } from "./_dataset_sources.ts";
import { download, type DownloadOptions, RestartError } from "./_download.ts";
import { problemOf } from "./_file_form.ts";
import { MadeFolders, MemberFile, wrongChecksum } from "./_member_file.ts";
import {
  moveIntoPlace,
  removePart,
  replay,
  writeFailure,
} from "./_part_file.ts";
import { TarReader } from "./_tar_reader.ts";

/** Options of {@linkcode fetchSource}. */
export interface FetchSourceOptions
  extends Omit<DownloadOptions, "part" | "bytes"> {
  /** A local copy of the archive, to unpack instead of fetching it. */
  file?: string;
}

/** A server that never continues would otherwise be asked for ever. */
const MOST_RESTARTS = 3;

/**
 * Fetches the files of a source into a folder. Each appears under its name
 * only when it is complete and checked. Folders that were made and stay empty
 * are removed.
 *
 * @returns Whether anything had to be fetched.
 * @throws {GapcamError} If a file cannot be had or is not what it should be.
 */
export async function fetchSource(
  source: DatasetSource,
  folder: string,
  options: FetchSourceOptions,
): Promise<boolean> {
  const { name } = options;
  if (options.file !== undefined && !source.archive) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot unpack ${name} from ${options.file}: it is published as ` +
        `${source.files.length} files, not as one archive; name the folder ` +
        "that holds them where it is opened",
    );
  }
  const missing = await absentFiles(source.files, folder);
  // A run that was killed may have left these.
  for (const file of source.files) {
    if (!missing.includes(file)) removePart(`${folder}/${file.name}.part`);
  }
  if (missing.every((file) => file.optional)) {
    if (source.archive) removePart(partOf(source, folder));
    return false;
  }
  using folders = new MadeFolders();
  folders.make(folder);
  if (source.archive) {
    await restarting(name, () => unpack(source, { folder, folders }, options));
    return true;
  }
  for (const file of missing) {
    await restarting(
      name,
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
  const problem = file.md5 === undefined && problemOf(part, file);
  if (problem) {
    removePart(part);
    throw new GapcamError(
      "bad-data",
      `Cannot fetch ${file.name}: ${url} sent ${problem}`,
    );
  }
  await moveIntoPlace(part, path);
  removePart(part);
}

async function unpack(
  source: DatasetSource,
  target: { folder: string; folders: MadeFolders },
  options: FetchSourceOptions,
): Promise<void> {
  const { folder } = target;
  const archive = source.archive!;
  const origin = options.file ?? source.url;
  const part = partOf(source, folder);
  // A file of the user's own is not ours to remove.
  const discard = () => options.file === undefined && removePart(part);
  const wanted = new Map(source.files.map((file) => [file.name, file]));
  const complete = new Map<string, string>();
  const open: MemberFile[] = [];
  const enough = () =>
    source.files.every((file) =>
      file.optional || (file.md5 !== undefined && complete.has(file.name))
    );
  const tar = new TarReader((name, size) => {
    const file = wanted.get(name.replace(/^(\.\/)+/, ""));
    if (!file) return Promise.resolve(undefined);
    const member = new MemberFile(file, target, {
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
    options.file === undefined
      ? download(source.url, { ...options, part, bytes: archive.bytes, signal })
      : readArchive(options.file, { ...options, signal }),
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
        throw wrongChecksum(options.file ?? options.name, found, archive.md5);
      }
    }
    for (const file of source.files) {
      if (file.optional || complete.has(file.name)) continue;
      throw new GapcamError(
        "bad-data",
        `Cannot unpack ${options.name}: ${origin} has no ${file.name}`,
      );
    }
    for (const [name, path] of complete) {
      await moveIntoPlace(path, `${folder}/${name}`);
    }
    removePart(part);
  } catch (error) {
    // What came is not what it should be: going on from it would not help.
    if (error instanceof GapcamError && error.code === "bad-data") discard();
    if (error instanceof TypeError) {
      discard();
      throw new GapcamError(
        "bad-data",
        `Cannot unpack ${options.name}: the archive ${
          options.file === undefined ? `from ${origin}` : origin
        } is no gzip archive, or a truncated or damaged one`,
        { cause: error },
      );
    }
    throw error;
  } finally {
    controller.abort();
    for (const member of open) member.discard();
  }
}

/** Where an archive is kept until it is complete. */
function partOf(source: DatasetSource, folder: string): string {
  return `${folder}/${source.url.replace(/^.*\//, "")}.part`;
}

/** The bytes of an archive that is there already. */
async function* readArchive(
  path: string,
  options: FetchSourceOptions & { signal: AbortSignal },
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const { name, signal, onProgress } = options;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw readFailure(path, osReason(error), error);
  }
  using _ = file;
  const { size: total, isFile } = await file.stat();
  if (!isFile) throw readFailure(path, "it is no file");
  let done = 0;
  for await (const chunk of replay(file)) {
    signal.throwIfAborted();
    done += chunk.length;
    onProgress?.({ name, done, total, resumed: 0 });
    yield chunk;
  }
}

function readFailure(path: string, reason: string, cause?: unknown) {
  return new GapcamError("io", `Cannot read ${path}: ${reason}`, { cause });
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
      if (
        !right ||
        (file.md5 !== undefined
          ? await md5Of(path) !== file.md5
          : problemOf(path, file))
      ) {
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
