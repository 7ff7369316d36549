import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GapcamError } from "../../mod.ts";
import { parseNpy, readNpy } from "../../src/weights/mod.ts";

/** A file as `numpy.save` writes it, in version 1 or as it is told. */
function npy(
  header: string,
  values: ArrayBufferView<ArrayBuffer>,
  version = 1,
): Uint8Array {
  const text = new TextEncoder().encode(`${header}\n`);
  const start = version === 1 ? 10 : 12;
  const bytes = new Uint8Array(start + text.length + values.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, text.length, true);
  else view.setUint32(8, text.length, true);
  bytes.set(text, start);
  bytes.set(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    start + text.length,
  );
  return bytes;
}

function header(code: string, shape: string, order = "False"): string {
  return `{'descr': '${code}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
}

Deno.test("parseNpy() reads every type and version that it names, at any offset", () => {
  for (
    const [code, values] of [
      ["<f4", Float32Array.of(1, -2, 3)],
      ["<f8", Float64Array.of(1, -2, 3)],
      ["<f2", Uint16Array.of(0x3c00, 0xc000, 0x4200)],
      ["|i1", Int8Array.of(1, -2, 3)],
      ["<i4", Int32Array.of(1, -2, 3)],
      ["<i8", BigInt64Array.of(1n, -2n, 3n)],
    ] as const
  ) {
    for (const version of [1, 2, 3]) {
      for (const pad of ["", " ", "  ", "   "]) {
        const { shape, data } = parseNpy(
          npy(header(code, "(3, 1)") + pad, values, version),
        );
        assertEquals([shape, [...data]], [[3, 1], [1, -2, 3]], code);
      }
    }
  }
  assertEquals(
    parseNpy(npy(header("|u1", "(2,)"), Uint8Array.of(200, 3))).data,
    Float32Array.of(200, 3),
  );
  assertEquals(
    parseNpy(npy(header("<f4", "()"), Float32Array.of(5))).shape,
    [],
  );
});

Deno.test("parseNpy() refuses what it does not know, in a sentence", () => {
  const one = Float32Array.of(1);
  for (
    const [bytes, text] of [
      [new Uint8Array(), "it is empty, expected an array of numpy.save"],
      [new TextEncoder().encode("\x89PNG\r\n\x1a\n"), "expected an array"],
      [npy(header("<f4", "(1,)"), one, 4), "it has version 4 of the format"],
      [npy(header("<f4", "(1,)"), one).subarray(0, 9), "it is cut off"],
      [npy(header("<f4", "(1,)"), one).subarray(0, 40), "it is cut off"],
      [npy(header("<c8", "(1,)"), one), 'its values have type "<c8"'],
      [npy(header(">f4", "(1,)"), one), 'its values have type ">f4"'],
      [npy(header("|O", "(1,)"), one), 'its values have type "|O"'],
      [
        npy("{'descr': [('a', '<f4')]}", one),
        "does not say type, order and shape",
      ],
      [npy(header("<f4", "(1,)", "True"), one), "in Fortran order"],
      [npy(header("<f4", "(2,)"), one), "it has 4 bytes of values, expected 8"],
      [npy(header("<f4", "(99999999999, 99999999999)"), one), "its shape is"],
    ] as const
  ) assertThrows(() => parseNpy(bytes), GapcamError, text);
});

Deno.test("readNpy() names the file", async () => {
  const error = await assertRejects(
    () => readNpy("/nowhere/x.npy"),
    GapcamError,
  );
  assert(error.message.startsWith("Cannot read /nowhere/x.npy: no such file"));
});
