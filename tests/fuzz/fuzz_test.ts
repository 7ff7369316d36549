import { assert, assertEquals, assertGreater } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import {
  fuzzInput,
  type FuzzTarget,
  runTarget,
} from "../../scripts/fuzz/run_target.ts";
import { fuzzFolder, TARGETS } from "../../scripts/fuzz/targets.ts";

for (const target of TARGETS) {
  Deno.test(`${target.name}: damaged files give nothing but one-sentence errors`, async () => {
    const report = await runTarget(target, {
      seed: 7,
      count: 400,
      seconds: 20,
    });
    assertEquals(report.failure, undefined);
    // Damage that no parser notices, or that all refuse, would show nothing.
    assertGreater(report.accepted, 0);
    assertGreater(report.inputs, report.accepted);
    await Deno.remove(fuzzFolder(), { recursive: true }).catch(() => {});
  });
}

/** A parser that fails in the given way once it meets a damaged file. */
function target(fail: () => unknown): FuzzTarget {
  const seed = new Uint8Array(100);
  return {
    name: "test",
    seeds: () => [seed],
    parse: (bytes) =>
      bytes.length === 100 && bytes.every((byte) => byte === 0)
        ? undefined
        : fail(),
  };
}

async function failureOf(fail: () => unknown): Promise<string | undefined> {
  const limits = { seed: 1, count: 50, seconds: 30 };
  return (await runTarget(target(fail), limits)).failure?.reason;
}

Deno.test("runTarget() reports errors of any other class", async () => {
  const reason = await failureOf(() => (undefined as unknown as string).length);
  assert(reason?.startsWith("TypeError: "), reason);
});

Deno.test("runTarget() reports a message that is no sentence", async () => {
  const reason = await failureOf(() => {
    throw new GapcamError("bad-data", "oops");
  });
  assertEquals(reason, "its message is no sentence: oops");
});

Deno.test("runTarget() reports an input that takes over a second", async () => {
  const reason = await failureOf(() => {
    const end = performance.now() + 1050;
    while (performance.now() < end);
  });
  assert(reason?.startsWith("it took 10"), reason);
});

Deno.test("runTarget() reports an input that takes over a gigabyte", async () => {
  let kept: Uint8Array | undefined;
  const reason = await failureOf(() => {
    kept = new Uint8Array(1.1 * 2 ** 30);
  });
  assert(reason?.endsWith(" bytes of memory"), reason);
  assertGreater(kept!.length, 2 ** 30);
});

Deno.test("runTarget() refuses real files that its parser does not accept", async () => {
  const broken: FuzzTarget = {
    name: "broken",
    seeds: () => [new Uint8Array(1)],
    parse: () => {
      throw new GapcamError("bad-data", "Cannot read it");
    },
  };
  let message = "";
  try {
    await runTarget(broken, { seed: 1, count: 1, seconds: 1 });
  } catch (error) {
    message = (error as Error).message;
  }
  assertEquals(message, "Cannot read it");
});

Deno.test("fuzzInput() gives the same input again and others for other numbers", async () => {
  const one = TARGETS[0]!;
  const seeds = await one.seeds();
  const input = (seed: number, index: number) =>
    fuzzInput(one, seeds, { seed, index });
  assertEquals(input(1, 5), input(1, 5));
  const all = new Set(
    Array.from({ length: 100 }, (_, i) => input(1, i).join()),
  );
  assertGreater(all.size, 90);
  assert(input(1, 5).join() !== input(2, 5).join());
});
