import { assert, assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../src/error.ts";
import { Random } from "../src/random.ts";

Deno.test("Random gives the numbers of the reference xoshiro128**", () => {
  const random = Random.fromState([1, 2, 3, 4]);
  const first = Array.from({ length: 10 }, () => random.nextUint32());
  // From the authors' C program, compiled with the same state.
  assertEquals(first, [
    11520,
    0,
    5927040,
    70819200,
    2031721883,
    1637235492,
    1287239034,
    3734860849,
    3729100597,
    4258142804,
  ]);
  for (let i = 0; i < 990; i++) random.nextUint32();
  assertEquals(random.nextUint32(), 136054147);
});

Deno.test("Random.fromState() rejects states that are none", () => {
  assertThrows(() => Random.fromState([0, 0, 0, 0]), GapcamError, "all zero");
  assertThrows(() => Random.fromState([1, 2, 3]), GapcamError, "four words");
});

Deno.test("Random gives every list of seeds a sequence of its own", () => {
  const seeds = [[0], [1], [-1], [0, 0], [0, 1], [1, 0], [2 ** 32], [0, 0, 0]];
  const starts = seeds.map(([seed, ...streams]) => {
    const random = new Random(seed!, ...streams);
    return `${random.nextUint32()} ${random.nextUint32()}`;
  });
  assertEquals(new Set(starts).size, seeds.length);
});

Deno.test("Random.uniform() fills [0, 1) evenly", () => {
  const random = new Random(7);
  const bins = new Array<number>(10).fill(0);
  let sum = 0;
  for (let i = 0; i < 20_000; i++) {
    const value = random.uniform();
    assert(value >= 0 && value < 1);
    bins[Math.floor(value * 10)]!++;
    sum += value;
  }
  assert(Math.abs(sum / 20_000 - 0.5) < 0.01, `mean ${sum / 20_000}`);
  // 2,000 expected, standard deviation 42.
  for (const count of bins) assert(Math.abs(count - 2000) < 210, `${bins}`);
});

Deno.test("Random.integer() is even and in range for small and large bounds", () => {
  const random = new Random(3);
  for (const bound of [1, 2, 6, 2 ** 21, 2 ** 21 + 1, 3 * 2 ** 30, 2 ** 32]) {
    const bins = [0, 0];
    for (let i = 0; i < 4000; i++) {
      const value = random.integer(bound);
      assert(Number.isInteger(value) && value >= 0 && value < bound);
      bins[value < bound / 2 ? 0 : 1]!++;
    }
    if (bound === 1) assertEquals(bins, [4000, 0]);
    else assert(Math.abs(bins[0]! - 2000) < 160, `bound ${bound}: ${bins}`);
  }
  for (const bound of [0, -1, 1.5, NaN, 2 ** 32 + 1]) {
    assertThrows(() => random.integer(bound), GapcamError, "whole number");
  }
});

Deno.test("Random.shuffle() keeps every element and moves each everywhere", () => {
  const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
  for (let seed = 0; seed < 2000; seed++) {
    const list = new Random(seed).shuffle([0, 1, 2, 3]);
    assertEquals([...list].sort(), [0, 1, 2, 3]);
    list.forEach((value, place) => counts[value]![place]!++);
  }
  // 500 expected, standard deviation 19.
  for (const row of counts) {
    for (const count of row) {
      assert(Math.abs(count - 500) < 97, JSON.stringify(counts));
    }
  }
});

Deno.test("Random.fillUniform() stays in its range", () => {
  const values = new Random(1).fillUniform(new Float32Array(1000), -2, 3);
  assert(values.every((value) => value >= -2 && value < 3));
  assert(values.some((value) => value < -1.9));
  assert(values.some((value) => value > 2.9));
});
