import { assert, assertEquals, assertThrows } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import { GapcamError } from "../../src/error.ts";
import { concatenate } from "../../src/weights/_concatenate.ts";
import { ZipArchive } from "../../src/weights/_zip_read.ts";
import { layOutZip } from "../../src/weights/_zip_write.ts";

const TEXT = new TextEncoder().encode("hello");

function archive(...names: string[]): Uint8Array<ArrayBuffer> {
  return concatenate(layOutZip(names.map((name) => [name, TEXT])));
}

/** Where the directory begins, as the end record says. */
function directory(bytes: Uint8Array<ArrayBuffer>): number {
  return new DataView(bytes.buffer).getUint32(bytes.length - 6, true);
}

function refused(bytes: Uint8Array, entry?: string): string {
  const error = assertThrows(() => {
    const zip = new ZipArchive(bytes);
    if (entry !== undefined) zip.read(entry);
  }, GapcamError);
  return (error as GapcamError).message;
}

Deno.test("layOutZip() begins each content on a multiple of 64 bytes", () => {
  const bytes = archive("a", "data/123", "x".repeat(64));
  const zip = new ZipArchive(bytes);
  assertEquals(zip.names(), ["a", "data/123", "x".repeat(64)]);
  for (const name of zip.names()) {
    assertEquals(zip.read(name), TEXT);
    assertEquals(zip.read(name).byteOffset % 64, 0);
  }
});

Deno.test("ZipArchive refuses two entries of one name", () => {
  assertEquals(refused(archive("a", "a")), 'its archive has "a" twice');
});

Deno.test("ZipArchive refuses entries that share their content", () => {
  const bytes = archive("a", "b");
  const view = new DataView(bytes.buffer);
  const second = directory(bytes) + 47;
  assertEquals(view.getUint32(second, true), 0x02014b50);
  view.setUint32(second + 42, 0, true);
  assertEquals(refused(bytes), 'entries "a" and "b" of its archive overlap');
});

Deno.test("ZipArchive refuses encryption, foreign packing and wrong sizes", () => {
  const change = (offset: number, value: number) => {
    const bytes = archive("a");
    new DataView(bytes.buffer).setUint16(
      directory(bytes) + offset,
      value,
      true,
    );
    return refused(bytes);
  };
  assertEquals(change(8, 1), 'entry "a" of its archive is encrypted');
  assertEquals(
    change(10, 12),
    'entry "a" of its archive is packed by method 12, expected 0 (stored) or ' +
      "8 (deflate)",
  );
  assertEquals(
    change(24, 6),
    'entry "a" of its archive is said to grow from 5 to 6 bytes, which it cannot',
  );
  assertEquals(change(42, 9), 'entry "a" of its archive has no header');
});

/** An archive of one deflated entry that is said to have this size. */
function deflated(content: Uint8Array, size: number): Uint8Array {
  const packed = new Uint8Array(deflateRawSync(content));
  const bytes = concatenate(layOutZip([["a", packed]]));
  const view = new DataView(bytes.buffer);
  view.setUint16(directory(bytes) + 10, 8, true);
  view.setUint32(directory(bytes) + 24, size, true);
  return bytes;
}

Deno.test("ZipArchive refuses bombs before they grow", () => {
  const zeros = new Uint8Array(200_000_000);
  const bomb = deflated(zeros, zeros.length);
  assert(bomb.length < 300_000, "the case must be small");
  assertEquals(
    refused(bomb, "a"),
    'entry "a" of its archive grows beyond all measure',
  );
  assertEquals(
    refused(deflated(zeros, 1000), "a"),
    'entry "a" of its archive does not unpack',
  );
  assert(
    refused(deflated(TEXT, 2 ** 31)).includes("to 2147483648 bytes, which it"),
  );
});

Deno.test("ZipArchive checks what it unpacks", () => {
  assertEquals(
    refused(deflated(TEXT, 5), "a"),
    // The checksum in the directory is that of the packed bytes.
    'entry "a" of its archive is not what its checksum says',
  );
});

Deno.test("ZipArchive reads sizes and offsets of 64 bits", () => {
  // The end of an archive of one stored entry "a", rewritten with every number
  // in its 64-bit place.
  const plain = archive("a");
  const start = directory(plain);
  const record = new Uint8Array(47 + 28);
  record.set(plain.subarray(start, start + 47));
  const view = new DataView(record.buffer);
  for (const offset of [20, 24, 42]) view.setUint32(offset, 0xffffffff, true);
  view.setUint16(30, 28, true);
  view.setUint16(47, 1, true);
  view.setUint16(49, 24, true);
  view.setBigUint64(51, 5n, true);
  view.setBigUint64(59, 5n, true);
  const end = new Uint8Array(56 + 20 + 22);
  const endView = new DataView(end.buffer);
  endView.setUint32(0, 0x06064b50, true);
  endView.setBigUint64(32, 1n, true);
  endView.setBigUint64(40, BigInt(record.length), true);
  endView.setBigUint64(48, BigInt(start), true);
  endView.setUint32(56, 0x07064b50, true);
  endView.setBigUint64(64, BigInt(start + record.length), true);
  endView.setUint32(76, 0x06054b50, true);
  endView.setUint32(76 + 12, 0xffffffff, true);
  const bytes = concatenate([plain.subarray(0, start), record, end]);
  assertEquals(new ZipArchive(bytes).read("a"), TEXT);
});
