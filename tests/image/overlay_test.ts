import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { overlay } from "../../src/image/overlay.ts";

const image = {
  height: 1,
  width: 3,
  channels: 1,
  data: Uint8Array.of(0, 100, 255),
} as const;

Deno.test("overlay() mixes 0.6 of the image with 0.4 of jet", () => {
  const map = { height: 1, width: 3, data: Float32Array.of(0, 1, -5) };
  assertEquals(
    [...overlay(image, map).data],
    [0, 0, 51, 111, 60, 60, 153, 153, 204],
  );
});

Deno.test("overlay() drops alpha and keeps the image at a share of 0", () => {
  const rgba = {
    height: 1,
    width: 1,
    channels: 4,
    data: Uint8Array.of(1, 2, 3, 0),
  } as const;
  const map = { height: 1, width: 1, data: Float32Array.of(0.5) };
  assertEquals([...overlay(rgba, map, { alpha: 0 }).data], [1, 2, 3]);
});

Deno.test("overlay() rejects other sizes, NaN and a share above 1", () => {
  const map = { height: 1, width: 3, data: Float32Array.of(0, NaN, 1) };
  assertThrows(
    () => overlay(image, map),
    GapcamError,
    "Cannot overlay map: found NaN at row 0, column 1, expected numbers",
  );
  assertThrows(
    () => overlay(image, map, { alpha: 1.1 }),
    GapcamError,
    "found alpha 1.1, expected 0 to 1",
  );
  assertThrows(
    () => overlay(image, { height: 3, width: 1, data: map.data }),
    GapcamError,
    "found a map of 3x1, expected 1x3 as the image",
  );
});
