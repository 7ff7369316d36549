import { assertEquals, assertThrows } from "@std/assert";
import { evidenceBox } from "../../src/cam/mod.ts";
import { GapcamError } from "../../src/error.ts";
import type { FloatMap } from "../../src/image/float_map.ts";

/** A map of digits, a row a line. */
function mapOf(...rows: string[]): FloatMap {
  const data = Float32Array.from(rows.join(""), (digit) => Number(digit));
  return { height: rows.length, width: rows[0]!.length, data };
}

Deno.test("evidenceBox() takes the largest part that hangs together above a fifth of the maximum", () => {
  const map = mapOf(
    "90000000",
    "00000000",
    "00222100",
    "00020000",
    "00000000",
    "10000020",
  );
  // Each place is a pixel: 2 is above 1.8, 1 is not.
  assertEquals(evidenceBox(map, { height: 6, width: 8 }), {
    top: 2,
    left: 2,
    height: 2,
    width: 3,
  });
  // At half the maximum only the brightest is left.
  assertEquals(evidenceBox(map, { height: 6, width: 8 }, { share: 0.5 }), {
    top: 0,
    left: 0,
    height: 1,
    width: 1,
  });
});

Deno.test("evidenceBox() counts corners that touch as one part", () => {
  const map = mapOf("1000", "0100", "0011", "1000", "1000");
  assertEquals(evidenceBox(map, { height: 5, width: 4 }), {
    top: 0,
    left: 0,
    height: 3,
    width: 4,
  });
});

Deno.test("evidenceBox() is in whole pixels of the image, in its part that was looked at", () => {
  const map = mapOf("00", "01");
  // Ten pixels a place: a fifth of the way from centre to centre is in pixel 7.
  assertEquals(evidenceBox(map, { height: 20, width: 20 }), {
    top: 7,
    left: 7,
    height: 13,
    width: 13,
  });
  const region = { top: 100, left: 300, height: 20, width: 20 };
  const image = { height: 400, width: 500 };
  assertEquals(evidenceBox(map, image, { region }), {
    top: 107,
    left: 307,
    height: 13,
    width: 13,
  });
  // Bars beyond the image are in no box.
  const padded = { top: -50, left: 0, height: 200, width: 200 };
  const low = evidenceBox(mapOf("0", "0", "0", "9"), {
    height: 100,
    width: 200,
  }, {
    region: padded,
  })!;
  assertEquals([low.top + low.height, low.left, low.width], [100, 0, 200]);
  // A photograph of more pixels than a box is found on.
  const large = evidenceBox(mapOf("0001", "0001"), {
    height: 3000,
    width: 4000,
  })!;
  assertEquals([large.top, large.height], [0, 3000]);
  assertEquals(large.left + large.width, 4000);
});

Deno.test("evidenceBox() finds all where all is the same, and nothing where nothing speaks for the class", () => {
  const image = { height: 9, width: 7 };
  assertEquals(evidenceBox(mapOf("33", "33"), image), {
    top: 0,
    left: 0,
    ...image,
  });
  const against = mapOf("33", "31");
  against.data.forEach((value, i) => against.data[i] = -value);
  assertEquals(evidenceBox(against, image), undefined);
  assertEquals(evidenceBox(mapOf("00", "00"), image), undefined);
});

Deno.test("evidenceBox() refuses a share or a map that is none", () => {
  for (const share of [0, -1, 1.01, NaN]) {
    assertThrows(
      () => evidenceBox(mapOf("1"), { height: 1, width: 1 }, { share }),
      GapcamError,
      `Cannot box map: found a share of ${share}`,
    );
  }
  const map = { height: 1, width: 1, data: Float32Array.of(Infinity) };
  assertThrows(() => evidenceBox(map, { height: 1, width: 1 }), GapcamError);
});
