import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { parseIdx } from "../../src/data/idx.ts";
import { bytes, idx } from "./_helpers.ts";

Deno.test("parseIdx() gives shape and data without copying", () => {
  const file = idx([2, 3], [1, 2, 3, 4, 5, 6]);
  const { shape, data } = parseIdx(file);
  assertEquals(shape, [2, 3]);
  assertEquals([...data], [1, 2, 3, 4, 5, 6]);
  assertEquals(data.buffer, file.buffer);
});

Deno.test("parseIdx() says what is wrong with a file", () => {
  const cases: [Uint8Array, string][] = [
    [bytes(), "Cannot read x: found 0 bytes, expected an IDX header"],
    [bytes(0, 0, 8), "found 3 bytes"],
    [bytes(0x1f, 0x8b, 8, 0), "magic number 0x1f8b0800"],
    [bytes(0, 0, 13, 1, 0, 0, 0, 0), "magic number 0x00000d01"],
    [bytes(0, 0, 8, 0), "0 dimensions"],
    [bytes(0, 0, 8, 9), "9 dimensions"],
    [bytes(0, 0, 8, 2, 0, 0), "6 bytes, expected a header of 12"],
    [
      idx([2, 3], [1, 2, 3, 4, 5]),
      "5 bytes of data, expected 6 for [2, 3]",
    ],
    [idx([2], [1, 2, 3]), "3 bytes of data, expected 2"],
    [idx([0xffffffff, 0xffffffff], []), "0 bytes of data"],
  ];
  for (const [file, message] of cases) {
    assertThrows(() => parseIdx(file, "x"), GapcamError, message);
  }
});
