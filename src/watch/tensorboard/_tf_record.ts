import { maskedCrc32c } from "./_crc32c.ts";

/**
 * One record of a TFRecord file: its length in eight bytes, their masked CRC,
 * the data, and theirs.
 *
 * @param pieces The data.
 */
export function tfRecord(pieces: readonly Uint8Array[]): Uint8Array {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const record = new Uint8Array(8 + 4 + length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(length), true);
  view.setUint32(8, maskedCrc32c([record.subarray(0, 8)]), true);
  let position = 12;
  for (const piece of pieces) {
    record.set(piece, position);
    position += piece.length;
  }
  view.setUint32(position, maskedCrc32c(pieces), true);
  return record;
}
