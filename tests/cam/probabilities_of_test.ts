import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { probabilitiesOf } from "../../src/cam/probabilities_of.ts";
import { GapcamError } from "../../src/error.ts";

Deno.test("probabilitiesOf() is the softmax, of logits of any size", () => {
  const expected = [0.09003057, 0.24472847, 0.66524096];
  for (const shift of [0, 1e4, -1e4]) {
    probabilitiesOf([1 + shift, 2 + shift, 3 + shift]).forEach((value, i) =>
      assertAlmostEquals(value, expected[i]!, 1e-7)
    );
  }
  assertEquals([...probabilitiesOf([3.4e38, -3.4e38])], [1, 0]);
  assertEquals([...probabilitiesOf([-5])], [1]);
});

Deno.test("probabilitiesOf() refuses what is not finite, and no class at all", () => {
  assertThrows(
    () => probabilitiesOf([1, NaN]),
    GapcamError,
    "Cannot compute probabilities: found logit NaN of class 1",
  );
  assertThrows(() => probabilitiesOf([Infinity]), GapcamError, "Infinity");
  assertThrows(() => probabilitiesOf([]), GapcamError, "found no logit");
});
