import { exists } from "../_files.ts";
import { nodeCrypto } from "../_node.ts";
import { GapcamError } from "../error.ts";
import type { SourceFile } from "./_dataset_sources.ts";
import { problemOf } from "./_file_form.ts";
import { refuseLink, removePart, writeFailure } from "./_part_file.ts";
import type { MemberSink } from "./_tar_reader.ts";

/** Writes a member beside its final name and checks it. */
export class MemberFile implements MemberSink {
  readonly #path: string;
  readonly #wanted: SourceFile;
  readonly #done: (path: string) => void;
  readonly #hash = nodeCrypto().createHash("md5");
  #file: Deno.FsFile | undefined;

  constructor(
    wanted: SourceFile,
    target: { folder: string; folders: MadeFolders },
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
    this.#path = `${target.folder}/${wanted.name}.part`;
    target.folders.make(this.#path.replace(/\/[^/]*$/, ""));
    refuseLink(this.#path);
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
    const problem = md5 === undefined && problemOf(this.#path, this.#wanted);
    if (problem) {
      throw new GapcamError(
        "bad-data",
        `Cannot unpack ${name}: found ${problem}`,
      );
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

/** Folders that were made, so that those that stay empty go again. */
export class MadeFolders implements Disposable {
  readonly #made: string[] = [];

  /** Makes a folder and what it lies in. */
  make(folder: string): void {
    const missing: string[] = [];
    for (
      let path = folder.replace(/\/+$/, "");
      path !== "" && !exists(path);
      path = path.replace(/\/*[^/]*$/, "")
    ) missing.push(path);
    // One by one: only what was made here may be removed.
    for (const path of missing.reverse()) {
      try {
        Deno.mkdirSync(path);
      } catch (error) {
        if (exists(path)) continue;
        throw writeFailure(path, error);
      }
      this.#made.push(path);
    }
  }

  /** Removes what was made and is empty. */
  [Symbol.dispose](): void {
    for (const folder of this.#made.reverse()) {
      try {
        Deno.removeSync(folder);
      } catch {
        // It holds something.
      }
    }
  }
}

/** What arrived is not what the publisher has. */
export function wrongChecksum(name: string, found: string, expected: string) {
  return new GapcamError(
    "bad-data",
    `Cannot take ${name}: its MD5 checksum is ${found}, expected ${expected}`,
  );
}
