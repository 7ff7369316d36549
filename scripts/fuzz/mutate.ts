/**
 * Damages files as chance does and as attackers do.
 *
 * @module
 */

import type { Random } from "../../src/random.ts";

/** Numbers at which readers of sizes and offsets go wrong. */
const EDGES = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x1fffffffffffffn,
  0x7fffffffffffffffn,
  0xffffffffffffffffn,
];

/**
 * Derives a damaged file from real ones: bits flipped, bytes and whole numbers
 * replaced, pieces cut, moved, repeated or taken from another file.
 */
export function mutate(
  seeds: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  let bytes = pick(seeds, random).slice();
  const rounds = 1 + random.integer(random.integer(8) === 0 ? 32 : 4);
  for (let i = 0; i < rounds; i++) {
    const donor = pick(seeds, random);
    bytes = pick(MUTATIONS, random)(bytes, random, donor);
  }
  return bytes;
}

type Mutation = (
  bytes: Uint8Array<ArrayBuffer>,
  random: Random,
  donor: Uint8Array,
) => Uint8Array<ArrayBuffer>;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  flipBit,
  replaceByte,
  replaceByte,
  replaceNumber,
  replaceNumber,
  replaceDigits,
  truncate,
  cut,
  repeat,
  insert,
  transplant,
];

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.integer(list.length)]!;
}

/** A place in the bytes, likelier near the start, where headers are. */
function place(length: number, random: Random): number {
  if (length === 0) return 0;
  const reach = random.integer(2) === 0 ? Math.min(length, 256) : length;
  return random.integer(reach);
}

function flipBit(bytes: Uint8Array<ArrayBuffer>, random: Random) {
  if (bytes.length > 0) {
    bytes[place(bytes.length, random)]! ^= 1 << random.integer(8);
  }
  return bytes;
}

function replaceByte(bytes: Uint8Array<ArrayBuffer>, random: Random) {
  if (bytes.length > 0) {
    bytes[place(bytes.length, random)] = random.integer(256);
  }
  return bytes;
}

/** A binary number of one to eight bytes, of either byte order. */
function replaceNumber(bytes: Uint8Array<ArrayBuffer>, random: Random) {
  const width = pick([1, 2, 4, 8], random);
  if (bytes.length < width) return bytes;
  const at = Math.min(place(bytes.length, random), bytes.length - width);
  const edge = pick(EDGES, random);
  const little = random.integer(2) === 0;
  for (let i = 0; i < width; i++) {
    const byte = Number(edge >> BigInt(8 * i) & 0xffn);
    bytes[little ? at + i : at + width - 1 - i] = byte;
  }
  return bytes;
}

/** A decimal number in a text, such as a size in a JSON header. */
function replaceDigits(bytes: Uint8Array<ArrayBuffer>, random: Random) {
  const isDigit = (i: number) => bytes[i]! >= 0x30 && bytes[i]! <= 0x39;
  let start = place(bytes.length, random);
  const limit = Math.min(bytes.length, start + 256);
  while (start < limit && !isDigit(start)) start++;
  if (start === limit) return bytes;
  let end = start;
  while (end < limit && isDigit(end)) end++;
  const sign = random.integer(8) === 0 ? "-" : "";
  const text = new TextEncoder().encode(sign + pick(EDGES, random));
  return join(bytes.subarray(0, start), text, bytes.subarray(end));
}

function truncate(bytes: Uint8Array<ArrayBuffer>, random: Random) {
  return bytes.slice(0, random.integer(bytes.length + 1));
}

function cut(bytes: Uint8Array<ArrayBuffer>, random: Random) {
  const start = place(bytes.length, random);
  const end = start + 1 + random.integer(16);
  return join(bytes.subarray(0, start), bytes.subarray(end));
}

function repeat(bytes: Uint8Array<ArrayBuffer>, random: Random) {
  const start = place(bytes.length, random);
  const piece = bytes.subarray(start, start + 1 + random.integer(64));
  const copies = Array(1 + random.integer(8)).fill(piece);
  return join(bytes.subarray(0, start), ...copies, bytes.subarray(start));
}

function insert(bytes: Uint8Array<ArrayBuffer>, random: Random) {
  const at = place(bytes.length, random);
  const piece = Uint8Array.from(
    { length: 1 + random.integer(16) },
    () => random.integer(256),
  );
  return join(bytes.subarray(0, at), piece, bytes.subarray(at));
}

function transplant(
  bytes: Uint8Array<ArrayBuffer>,
  random: Random,
  donor: Uint8Array,
) {
  const from = place(donor.length, random);
  const piece = donor.subarray(from, from + 1 + random.integer(128));
  const at = place(bytes.length, random);
  return join(
    bytes.subarray(0, at),
    piece,
    bytes.subarray(at + (random.integer(2) === 0 ? piece.length : 0)),
  );
}

function join(...pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const result = new Uint8Array(length);
  let position = 0;
  for (const piece of pieces) {
    result.set(piece, position);
    position += piece.length;
  }
  return result;
}
