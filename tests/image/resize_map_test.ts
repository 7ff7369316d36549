import { assert, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { resizeMap } from "../../src/image/resize_map.ts";
import { floatsOf, largestDifference, reference } from "./_reference.ts";

for (const entry of reference.resizeMap) {
  const { height, width, toHeight, toWidth } = entry;
  Deno.test(`resizeMap() agrees with scikit-image for ${height}x${width} to ${toHeight}x${toWidth}`, () => {
    const map = { height, width, data: floatsOf(entry.data) };
    const { data } = resizeMap(map, toHeight, toWidth);
    const difference = largestDifference(data, floatsOf(entry.expected));
    assert(difference <= 1e-6, `largest difference ${difference}`);
  });
}

Deno.test("resizeMap() rejects a wrong length", () => {
  assertThrows(
    () => resizeMap({ height: 2, width: 2, data: new Float32Array(3) }, 4, 4),
    GapcamError,
    "Cannot resize map: found 3 values, expected 4 for a map of 2x2",
  );
});
