import { assertEquals } from "@std/assert";
import { type StateDict } from "../../mod.ts";
import { largestValue } from "../../src/train/divergence.ts";

function state(values: Record<string, number[]>): StateDict {
  return new Map(
    Object.entries(values).map(([name, list]) => [
      name,
      { shape: [list.length], data: Float32Array.from(list) },
    ]),
  );
}

Deno.test("largestValue() goes by size, not by sign", () => {
  assertEquals(largestValue(state({ a: [1, -4], b: [3] })), {
    name: "a",
    size: 4,
  });
});

Deno.test("largestValue() puts infinity above numbers and NaN above all", () => {
  assertEquals(largestValue(state({ a: [1e38], b: [-Infinity] })), {
    name: "b",
    size: Infinity,
  });
  assertEquals(largestValue(state({ a: [Infinity], b: [0, NaN, 9] })), {
    name: "b",
    size: NaN,
  });
});

Deno.test("largestValue() of no tensors is undefined", () => {
  assertEquals(largestValue(new Map()), undefined);
});
