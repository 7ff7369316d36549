import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  cosineRate,
  oneCycleRate,
  stepRate,
  warmUpRate,
} from "../../src/nn/schedule.ts";

Deno.test("stepRate() falls after every size ticks", () => {
  const rates = [0, 1, 2, 3, 4].map((tick) =>
    stepRate(1, tick, { size: 2, gamma: 0.5 })
  );
  assertEquals(rates, [1, 1, 0.5, 0.5, 0.25]);
});

Deno.test("cosineRate() goes from the rate to the minimum", () => {
  const options = { ticks: 10, minimum: 0.2 };
  assertEquals(cosineRate(1, 0, options), 1);
  assertAlmostEquals(cosineRate(1, 5, options), 0.6);
  assertAlmostEquals(cosineRate(1, 10, options), 0.2);
});

Deno.test("oneCycleRate() starts low, peaks and ends near zero, for any length", () => {
  const options = { ticks: 101 };
  assertAlmostEquals(oneCycleRate(1, 0, options), 0.04);
  assertAlmostEquals(oneCycleRate(1, 100, options), 0.04 / 1e4);
  for (let ticks = 1; ticks < 20; ticks++) {
    for (let tick = 0; tick < ticks; tick++) {
      const rate = oneCycleRate(1, tick, { ticks });
      assert(rate > 0 && rate <= 1, `${rate} at ${tick} of ${ticks}`);
    }
  }
});

Deno.test("warmUpRate() grows, then stays", () => {
  const rates = [0, 1, 2, 5].map((tick) =>
    warmUpRate(1, tick, { ticks: 2, startFactor: 0.5 })
  );
  assertEquals(rates, [0.5, 0.75, 1, 1]);
});
