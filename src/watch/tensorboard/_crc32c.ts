/** x^32 + x^28 + x^27 + ... (Castagnoli), its bits in reverse. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0);
  }
  return value;
});

/** CRC-32C of bytes in pieces, as RFC 3720 (iSCSI) defines it. */
export function crc32c(pieces: Iterable<Uint8Array>): number {
  let value = 0xffffffff;
  for (const piece of pieces) {
    for (const byte of piece) {
      value = (value >>> 8) ^ TABLE[(value ^ byte) & 0xff]!;
    }
  }
  return ~value >>> 0;
}

/**
 * The CRC as TFRecord files hold it: rotated and moved, so that one of data that
 * hold CRCs themselves is no special number.
 */
export function maskedCrc32c(pieces: Iterable<Uint8Array>): number {
  const crc = crc32c(pieces);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
