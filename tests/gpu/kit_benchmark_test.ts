import { assert, assertEquals, assertMatch } from "@std/assert";
import { VGG_CONFIGURATIONS } from "../../src/models/vgg.ts";
import {
  benchmarkMarkdown,
  type BenchmarkResult,
  goalLines,
  ratioToBest,
  trainingFlops,
} from "../../scripts/gpu/kit/_benchmark.ts";
import { readBenchmark } from "../../scripts/gpu/kit/_read_output.ts";
import {
  isTooLong,
  missing,
  settingOf,
} from "../../scripts/gpu/kit/_wanted.ts";

Deno.test("trainingFlops() is three times the forward pass, less the images' gradient", () => {
  // 9 * 3 * 4 * 16^2 twice over, then 9 * 4 * 8 * 8^2 three times.
  assertEquals(
    trainingFlops([4, "M", 8], 16),
    2 * (2 * 9 * 3 * 4 * 256 + 3 * 9 * 4 * 8 * 64),
  );
  const vgg16 = trainingFlops(VGG_CONFIGURATIONS.vgg16, 224);
  assertEquals((vgg16 / 1e9).toFixed(1), "91.9");
});

function benchmarkOf(
  rates: Record<string, number[]>,
  bf16FlopsPerSecond: number,
): BenchmarkResult {
  return {
    size: 224,
    flopsPerImage: 1e11,
    torch: undefined,
    bf16FlopsPerSecond,
    comparisons: [{
      model: "vgg16",
      precision: "bf16",
      batch: 256,
      rates: {
        train: Object.fromEntries(
          Object.entries(rates).map(([name, imagesPerSecond]) => [
            name,
            { imagesPerSecond },
          ]),
        ),
      },
    }],
    operations: {},
    notes: [],
  };
}

Deno.test("goalLines() says met, missed or not measured", () => {
  const [ratio, share] = goalLines(
    benchmarkOf({ gapcam: [300], eager: [150], compile: [200] }, 5e13),
  );
  assertMatch(ratio!, /met\*\* \(1\.50 x\)/);
  assertMatch(share!, /met\*\* \(60\.0 %\)/);
  const [missed, missedShare] = goalLines(
    benchmarkOf({ gapcam: [300], eager: [150], compile: [250] }, 1e14),
  );
  assertMatch(missed!, /missed\*\* \(1\.20 x\)/);
  assertMatch(missedShare!, /missed\*\* \(30\.0 %\)/);
  const [alone] = goalLines(
    benchmarkOf({ gapcam: [300], eager: [100], compile: [] }, 1e14),
  );
  assertMatch(alone!, /not measured/);
  for (const line of goalLines(undefined)) assertMatch(line, /not measured/);
});

Deno.test("goalLines() holds ResNet-50 against torch.compile alone", () => {
  const result = benchmarkOf(
    { gapcam: [300], eager: [400], compile: [290] },
    1,
  );
  const named = result.comparisons.map((one) => ({
    ...one,
    model: "resnet50",
  }));
  const lines = goalLines({ ...result, comparisons: named });
  assertMatch(lines[0]!, /VGG16.*not measured/);
  assertMatch(lines[2]!, /ResNet-50.*met\*\* \(1\.03 x\)/);
});

Deno.test("benchmarkMarkdown() shows each network's step by kind of operation", () => {
  const result = benchmarkOf({ gapcam: [300] }, 1e14);
  const convolution = {
    ...{ name: "1 conv2d", operation: "conv2d", algorithm: "own kernel" },
    ...{ milliseconds: 2, flops: 4e9, bytes: 6e9 },
  };
  result.operations.resnet50 = [
    convolution,
    { ...convolution, name: "2 conv2d", milliseconds: 4 },
    { ...convolution, name: "add", operation: "add", flops: 0 },
  ];
  const markdown = benchmarkMarkdown(result);
  assertMatch(markdown, /step of resnet50 by operation.*8\.00 ms in all/);
  assertMatch(
    markdown,
    /\| conv2d \| 2 \| 6\.000 \| 75\.0 % \| 1\.3 TFLOP\/s \| 2000 GB\/s \|/,
  );
  assertMatch(
    markdown,
    /\| add \| 1 \| 2\.000 \| 25\.0 % \| {2}\| 3000 GB\/s \|/,
  );
});

Deno.test("the benchmark leaves out what is too long for what is left", () => {
  const took = new Map([[256, 60]]);
  assert(!isTooLong(256, 37, took));
  assert(isTooLong(256, 35, took));
  assert(!isTooLong(64, 35, took));
  assert(isTooLong(64, 15, took));
});

Deno.test("the benchmark fails without rates of training in bf16 at the goals' batch", () => {
  const { wanted } = settingOf({ small: false });
  const result = benchmarkOf({ gapcam: [300] }, 1);
  assertEquals(missing(wanted, result), [
    "resnet50, bf16, batch 256",
    "efficientnet_lite0, bf16, batch 256",
  ]);
  assertEquals(missing(wanted.slice(1, 2), result), []);
  const cut = benchmarkOf({ gapcam: [] }, 1);
  assertEquals(missing(wanted.slice(1, 2), cut), ["vgg16, bf16, batch 256"]);
  assertEquals(readBenchmark("a\nfailed: no b\n").problem, "no b");
  assertEquals(readBenchmark("a\n").problem, undefined);
});

Deno.test("ratioToBest() compares within each round", () => {
  const rates = {
    gapcam: { imagesPerSecond: [10, 20, 40] },
    eager: { imagesPerSecond: [5, 20, 10] },
    compile: { imagesPerSecond: [10, 5, 20] },
  };
  assertEquals(ratioToBest(rates), 1);
  assertEquals(ratioToBest({ gapcam: rates.gapcam }), undefined);
});
