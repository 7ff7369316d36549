import { assert, assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../mod.ts";
import { evidenceScale, methodsFigure } from "../../src/cam/mod.ts";

const IMAGE = {
  width: 20,
  height: 20,
  channels: 1,
  data: new Uint8Array(400).fill(128),
} as const;

const ANSWER = {
  classIndex: 0,
  predicted: 0,
  probabilities: [0.9, 0.1],
} as const;

const mapOf = (...values: number[]) => ({
  height: 2,
  width: 2,
  data: Float32Array.from(values),
});

/** How many pixels of a picture are coloured, not grey. */
function coloured({ data }: { data: Uint8Array }): number {
  let count = 0;
  for (let i = 0; i < data.length; i += 3) {
    const [red, green, blue] = data.subarray(i, i + 3) as unknown as number[];
    if (Math.max(red!, green!, blue!) - Math.min(red!, green!, blue!) > 40) {
      count++;
    }
  }
  return count;
}

Deno.test("methodsFigure() paints weak maps up to their own greatest value", () => {
  const draw = (scale: number) =>
    methodsFigure(IMAGE, {
      ...ANSWER,
      tiles: [{
        title: "Grad-CAM",
        standing: "checked",
        residual: 0,
        map: mapOf(0, scale, 2 * scale, 9 * scale),
      }],
    }, { classes: ["ship", "frog"] });
  const [strong, weak] = [coloured(draw(1)), coloured(draw(1e-6))];
  assert(weak > 1000, `${weak} pixels`);
  assert(Math.abs(strong - weak) < 600, `${strong} and ${weak} pixels`);
});

Deno.test("methodsFigure() says why a map is not painted", () => {
  const draw = (reason?: string) =>
    methodsFigure(IMAGE, {
      ...ANSWER,
      tiles: [{
        title: "CAM",
        standing: "proved",
        map: mapOf(-1, -2, -3, -4),
        ...(reason ? { reason } : {}),
      }],
    }, { classes: ["ship", "frog"] });
  const [bare, said] = [draw(), draw("no value of the map is above zero")];
  assertEquals([bare.height, bare.width], [said.height, said.width]);
  assert(said.data.some((value, i) => value !== bare.data[i]));
});

Deno.test("evidenceScale() takes the least value of the last colour", () => {
  const map = mapOf(0, 0.1, 0.2, 0.3);
  assertEquals(evidenceScale(map).last, 1);
  assertEquals(evidenceScale(map, { unit: 0 }).last, Math.fround(0.3));
  assertEquals(evidenceScale(mapOf(0, 0, 0, 0), { unit: 0 }).last, 1);
  assertThrows(
    () => evidenceScale(map, { unit: -1 }),
    GapcamError,
    "found unit -1, expected a number from 0 up",
  );
});
