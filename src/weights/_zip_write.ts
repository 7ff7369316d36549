import { zlib } from "../_node.ts";
import { GapcamError } from "../error.ts";

/** Contents begin on a multiple of this, so that PyTorch can map them. */
const ALIGNMENT = 64;

/**
 * Lays out a zip archive of stored entries, aligned as PyTorch aligns them.
 *
 * @param entries Names and contents, in order.
 * @returns The file in pieces; contents are not copied.
 * @throws {GapcamError} If the archive would need more than 32-bit sizes.
 */
export function layOutZip(
  entries: readonly (readonly [name: string, content: Uint8Array])[],
): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let position = 0;
  const add = (piece: Uint8Array) => {
    pieces.push(piece);
    position += piece.length;
  };
  for (const [name, content] of entries) {
    const nameBytes = new TextEncoder().encode(name);
    const start = position;
    const common = commonFields(content, nameBytes.length);
    // A field "FB" of so many bytes that the content is aligned.
    const bare = position + 30 + nameBytes.length + 4;
    const fill = (ALIGNMENT - bare % ALIGNMENT) % ALIGNMENT;
    const local = new Uint8Array(30 + nameBytes.length + 4 + fill);
    const view = new DataView(local.buffer);
    view.setUint32(0, 0x04034b50, true);
    local.set(common, 4);
    view.setUint16(28, 4 + fill, true);
    local.set(nameBytes, 30);
    local.set([0x46, 0x42, fill, 0], 30 + nameBytes.length);
    local.fill(0x5a, 34 + nameBytes.length);
    add(local);
    add(content);

    const record = new Uint8Array(46 + nameBytes.length);
    const recordView = new DataView(record.buffer);
    recordView.setUint32(0, 0x02014b50, true);
    record.set(common, 6);
    recordView.setUint32(42, start, true);
    record.set(nameBytes, 46);
    directory.push(record);
  }
  const directoryStart = position;
  for (const record of directory) add(record);
  if (position >= 0xffffffff || entries.length >= 0xffff) {
    throw new GapcamError(
      "unsupported",
      `Cannot lay out an archive of ${position} bytes: ` +
        "expected less than 4 GiB; write safetensors instead",
    );
  }
  const end = new Uint8Array(22);
  const view = new DataView(end.buffer);
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, entries.length, true);
  view.setUint16(10, entries.length, true);
  view.setUint32(12, position - directoryStart, true);
  view.setUint32(16, directoryStart, true);
  add(end);
  return pieces;
}

/** What local header and directory record say alike, 26 bytes. */
function commonFields(content: Uint8Array, nameLength: number): Uint8Array {
  const fields = new Uint8Array(26);
  const view = new DataView(fields.buffer);
  // No time: the same content gives the same bytes. Day 1 of month 1 of 1980
  // is the earliest that is a date.
  view.setUint16(8, 1 << 5 | 1, true);
  view.setUint32(10, zlib().crc32(content), true);
  view.setUint32(14, content.length, true);
  view.setUint32(18, content.length, true);
  view.setUint16(22, nameLength, true);
  return fields;
}
