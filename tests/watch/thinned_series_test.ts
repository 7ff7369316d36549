import { assert, assertEquals } from "@std/assert";
import { ThinnedSeries } from "../../src/watch/thinned_series.ts";

Deno.test("ThinnedSeries has every point while they are few", () => {
  const series = new ThinnedSeries(4);
  for (let step = 1; step <= 4; step++) series.add(step, step / 2, 10 - step);
  assertEquals(series.points(), {
    steps: [1, 2, 3, 4],
    seconds: [0.5, 1, 1.5, 2],
    values: [9, 8, 7, 6],
  });
});

Deno.test("ThinnedSeries of a million points keeps the ends and every peak", () => {
  const series = new ThinnedSeries(100);
  const peaks = new Map([[1, 0], [31_415, 9], [500_001, -9], [1_000_000, 3]]);
  for (let step = 1; step <= 1_000_000; step++) {
    series.add(step, step, peaks.get(step) ?? Math.sin(step));
  }
  const { steps, values } = series.points();
  assert(steps.length <= 202, String(steps.length));
  assertEquals(steps, [...steps].sort((a, b) => a - b));
  for (const [step, value] of peaks) {
    assertEquals(values[steps.indexOf(step)], value);
  }
});

Deno.test("ThinnedSeries takes back what came after a step", () => {
  for (const most of [4, 100]) {
    const series = new ThinnedSeries(most);
    for (let step = 1; step <= 50; step++) series.add(step, step, step % 7);
    series.cutAfter(30);
    assert(series.points().steps.every((step) => step <= 30));
    for (let step = 31; step <= 40; step++) series.add(step, step, -step);
    assertEquals(series.points().steps.at(-1), 40);
    assertEquals(series.points().values.at(-1), -40);
    series.cutAfter(0);
    assertEquals(series.points(), { steps: [], seconds: [], values: [] });
    series.add(1, 1, 1);
    assertEquals(series.points().steps, [1]);
  }
});

Deno.test("ThinnedSeries leaves out what is no number", () => {
  const series = new ThinnedSeries();
  series.add(1, 1, NaN);
  series.add(2, 2, 5);
  series.add(3, 3, Infinity);
  assertEquals(series.points().values, [5]);
});
