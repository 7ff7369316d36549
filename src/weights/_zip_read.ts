import { zlib } from "../_node.ts";
import { GapcamError } from "../error.ts";
import { quote } from "./_quote.ts";

/**
 * Most bytes that the compressed entries of one archive may become. Trained
 * weights hardly shrink when they are packed.
 */
function inflatedLimit(archiveLength: number): number {
  return 16 * archiveLength + 2 ** 26;
}

/** Most entries; a network has a few hundred. */
const ENTRY_LIMIT = 200_000;

interface ZipEntry {
  compressed: boolean;
  crc: number;
  /** Bytes of the content as it lies in the file, and as it is. */
  stored: Uint8Array;
  size: number;
}

/**
 * A zip archive in memory: entries stored or deflated, sizes of 32 or 64 bits.
 *
 * The central directory alone says what is there, as every reader that counts
 * has it; entries may not overlap, which is what the densest bombs do, and one
 * that says it grows more than deflate can make it grow is refused unread.
 *
 * @throws {GapcamError} If the archive is damaged. The message says what is
 * wrong, not which file.
 */
export class ZipArchive {
  readonly #entries = new Map<string, ZipEntry>();
  #inflatable: number;

  constructor(bytes: Uint8Array) {
    this.#inflatable = inflatedLimit(bytes.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const directory = findDirectory(bytes, view);
    const ranges: { begin: number; end: number; name: string }[] = [];
    let position = directory.begin;
    for (let i = 0; i < directory.count; i++) {
      const record = readRecord(bytes, view, position, directory.end);
      const { name } = record;
      if (this.#entries.has(name)) {
        bad(`its archive has ${quote(name)} twice`);
      }
      const begin = contentStart(view, record, directory.begin);
      const end = begin + record.storedSize;
      if (end > directory.begin) {
        bad(`entry ${quote(name)} of its archive runs past the archive's data`);
      }
      ranges.push({ begin: record.headerOffset, end, name });
      this.#entries.set(name, {
        compressed: record.compressed,
        crc: record.crc,
        stored: bytes.subarray(begin, end),
        size: record.size,
      });
      position = record.next;
    }
    if (position !== directory.end) {
      bad("its archive's directory is longer than its entries");
    }
    ranges.sort((a, b) => a.begin - b.begin);
    ranges.forEach(({ begin, name }, i) => {
      const before = ranges[i - 1];
      if (before && begin < before.end) {
        bad(
          `entries ${quote(before.name)} and ${quote(name)} of its archive ` +
            "overlap",
        );
      }
    });
  }

  /** Names of the entries, in the directory's order. */
  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Whether there is an entry of this name. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** An entry's content; a view of the archive where it is not compressed. */
  read(name: string): Uint8Array {
    const entry = this.#entries.get(name);
    if (!entry) bad(`its archive has no ${quote(name)}`);
    // PyTorch can be told to leave the checksum of stored entries out, and
    // does not look at it, so a wrong one says nothing there.
    if (!entry.compressed) return entry.stored;
    this.#inflatable -= entry.size;
    if (this.#inflatable < 0) {
      bad(`entry ${quote(name)} of its archive grows beyond all measure`);
    }
    let content: Uint8Array;
    try {
      content = zlib().inflateRawSync(entry.stored, {
        maxOutputLength: Math.max(1, entry.size),
      });
    } catch (error) {
      throw new GapcamError(
        "bad-data",
        `entry ${quote(name)} of its archive does not unpack`,
        { cause: error },
      );
    }
    if (content.length !== entry.size || zlib().crc32(content) !== entry.crc) {
      bad(`entry ${quote(name)} of its archive is not what its checksum says`);
    }
    return content;
  }
}

interface Directory {
  begin: number;
  end: number;
  count: number;
}

function findDirectory(bytes: Uint8Array, view: DataView): Directory {
  const last = bytes.length - 22;
  // The record ends with a comment of up to 65535 bytes.
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue;
    if (at + 22 + view.getUint16(at + 20, true) !== bytes.length) continue;
    return readDirectory(view, at);
  }
  bad("its archive has no end record: the file is cut short or no zip");
}

function readDirectory(view: DataView, at: number): Directory {
  let disks = view.getUint32(at + 4, true);
  let count = view.getUint16(at + 10, true);
  let size = view.getUint32(at + 12, true);
  let begin = view.getUint32(at + 16, true);
  let end = at;
  const locator = at - 20;
  if (locator >= 0 && view.getUint32(locator, true) === 0x07064b50) {
    const record = wide(view, locator + 8);
    if (
      record + 56 > locator || view.getUint32(record, true) !== 0x06064b50
    ) bad("its archive's 64-bit end record is damaged");
    disks = view.getUint32(record + 16, true) ||
      view.getUint32(record + 20, true);
    count = wide(view, record + 32);
    size = wide(view, record + 40);
    begin = wide(view, record + 48);
    end = record;
  }
  if (disks !== 0) bad("its archive is spread over several files");
  if (begin + size > end) bad("its archive's directory is out of bounds");
  if (count > ENTRY_LIMIT) {
    bad(`its archive has ${count} entries, expected at most ${ENTRY_LIMIT}`);
  }
  if (count * 46 > size) bad("its archive's directory is too short");
  return { begin, end: begin + size, count };
}

interface DirectoryRecord {
  name: string;
  compressed: boolean;
  crc: number;
  storedSize: number;
  size: number;
  headerOffset: number;
  next: number;
}

function readRecord(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  directoryEnd: number,
): DirectoryRecord {
  if (at + 46 > directoryEnd || view.getUint32(at, true) !== 0x02014b50) {
    bad("its archive's directory is damaged");
  }
  const nameEnd = at + 46 + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const next = extraEnd + view.getUint16(at + 32, true);
  if (next > directoryEnd) bad("its archive's directory is damaged");
  const name = new TextDecoder().decode(bytes.subarray(at + 46, nameEnd));
  const method = view.getUint16(at + 10, true);
  if ((view.getUint16(at + 8, true) & 1) !== 0) {
    bad(`entry ${quote(name)} of its archive is encrypted`);
  }
  if (method !== 0 && method !== 8) {
    bad(
      `entry ${quote(name)} of its archive is packed by method ${method}, ` +
        "expected 0 (stored) or 8 (deflate)",
    );
  }
  const sizes = {
    size: view.getUint32(at + 24, true),
    storedSize: view.getUint32(at + 20, true),
    headerOffset: view.getUint32(at + 42, true),
  };
  widen(view, nameEnd, extraEnd, sizes);
  const { size, storedSize } = sizes;
  // Deflate makes at most 1032 bytes out of one.
  if (method === 0 ? size !== storedSize : size > storedSize * 1032) {
    bad(
      `entry ${
        quote(name)
      } of its archive is said to grow from ${storedSize} ` +
        `to ${size} bytes, which it cannot`,
    );
  }
  return {
    name,
    compressed: method === 8,
    crc: view.getUint32(at + 16, true),
    next,
    ...sizes,
  };
}

/** Takes those sizes that do not fit 32 bits from the extra field. */
function widen(
  view: DataView,
  begin: number,
  end: number,
  sizes: { size: number; storedSize: number; headerOffset: number },
): void {
  const missing = (["size", "storedSize", "headerOffset"] as const)
    .filter((key) => sizes[key] === 0xffffffff);
  if (missing.length === 0) return;
  for (let at = begin; at + 4 <= end;) {
    const fieldEnd = at + 4 + view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1 && fieldEnd <= end) {
      let value = at + 4;
      for (const key of missing) {
        if (value + 8 > fieldEnd) break;
        sizes[key] = wide(view, value);
        value += 8;
      }
      return;
    }
    at = fieldEnd;
  }
}

/** First byte of an entry's content, behind its local header. */
function contentStart(
  view: DataView,
  record: DirectoryRecord,
  limit: number,
): number {
  const at = record.headerOffset;
  if (at + 30 > limit || view.getUint32(at, true) !== 0x04034b50) {
    bad(`entry ${quote(record.name)} of its archive has no header`);
  }
  return at + 30 + view.getUint16(at + 26, true) +
    view.getUint16(at + 28, true);
}

/** A 64-bit number; beyond what a file can hold it is out of bounds anyway. */
function wide(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function bad(message: string): never {
  throw new GapcamError("bad-data", message);
}
