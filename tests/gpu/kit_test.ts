import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { VGG_CONFIGURATIONS } from "../../src/models/vgg.ts";
import {
  benchmarkMarkdown,
  type BenchmarkResult,
  goalLines,
  ratioToBest,
  trainingFlops,
} from "../../scripts/gpu/kit/_benchmark.ts";
import { checkAgreement, checkFall } from "../../scripts/gpu/kit/_curves.ts";
import {
  lastJson,
  readDoctor,
  readSanitizer,
  readTests,
} from "../../scripts/gpu/kit/_read_output.ts";
import { readFamilies } from "../../scripts/gpu/kit/_families.ts";
import { formatReport } from "../../scripts/gpu/kit/_report.ts";
import { runStep, type Step } from "../../scripts/gpu/kit/_steps.ts";
import { buildStandIns, standIns } from "../native/_cudasim.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("readTests() lists tests, also a slow one that was interrupted by a notice", () => {
  const { problem, markdown } = readTests(
    "running 3 tests\n" +
      "cpu: a ...'cpu: a' has been running for over (1m0s)\n ok (1m7s)\n" +
      "cuda: the network's a ... ok (2s)\ncuda: b ... ignored (0ms)\n",
    "cuda: ",
  );
  assertEquals(problem, undefined);
  assert(markdown!.startsWith("2 passed, 0 failed, 1 skipped"));
  assertMatch(markdown!, /\| cpu: a \| ok \| 1m7s \|/);
  assertMatch(markdown!, /\| cuda: the network's a \| ok \| 2s \|/);
});

Deno.test("readTests() objects to a failure and to a run without the wanted device", () => {
  const failed = readTests("cuda: a ... ok (1ms)\ncuda: b ... FAILED (3ms)\n");
  assertEquals(failed.problem, "1 of its tests failed");
  const cpuOnly = readTests("cpu: a ... ok (1ms)\n", "cuda: ");
  assertEquals(cpuOnly.problem, "none of its tests passed");
});

Deno.test("readDoctor() gives the GPU's own sentence if there is none", () => {
  const finding = { name: "GPU", found: false, detail: "libcuda is missing" };
  const output = `a line\n${
    JSON.stringify({ findings: [finding] }, undefined, 2)
  }`;
  assertEquals(readDoctor(output).problem, "libcuda is missing");
  const found = JSON.stringify({ findings: [{ ...finding, found: true }] });
  assertEquals(readDoctor(found).problem, undefined);
});

Deno.test("readSanitizer() wants a summary of no errors", () => {
  const line = "========= ERROR SUMMARY: ";
  assertEquals(readSanitizer(`x\n${line}0 errors\n`).problem, undefined);
  assertEquals(
    readSanitizer(`${line}0 errors\n${line}2 errors`).problem,
    "2 errors",
  );
  assertEquals(readSanitizer("").problem, "it gave no error summary");
});

Deno.test("lastJson() finds an object that spans lines after other text", () => {
  assertEquals(lastJson('log\n{\n  "a": {\n    "b": 1\n  }\n}\n'), {
    a: { b: 1 },
  });
  assertEquals(lastJson("log"), undefined);
});

Deno.test("checkAgreement() lets near curves pass, and neither far, short nor NaN ones", () => {
  const expected = [3, 2, 1, 1];
  const tolerance = { stretch: 2, relative: 0.1, absolute: 0 };
  const passes = (found: number[]) =>
    checkAgreement("a", { found, expected }, tolerance).passed;
  assert(passes([2.2, 3, 1, 1]));
  assert(!passes([3, 2, 2, 1]));
  assert(!passes([3, 2]));
  assert(!passes([3, 2, 1, NaN]));
  assert(!passes([3, NaN, 1, 1]));
  assert(!checkAgreement("a", { found: [], expected: [] }, tolerance).passed);
});

Deno.test("checkFall() wants a curve that ends low enough", () => {
  assert(checkFall("a", [4, 3, 2, 1], 0.5).passed);
  assert(!checkFall("a", [4, 3, 3, 3], 0.5).passed);
  assert(!checkFall("a", [4, 3, NaN, NaN], 0.5).passed);
  assert(!checkFall("a", [], 0.5).passed);
});

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

Deno.test("readFamilies() wants every network near the CPU, and says what was left out", () => {
  const family = { name: "vgg11", precision: "f32", logits: 1e-7, losses: 0 };
  const read = (families: unknown[], leftOut: string[] = []) =>
    readFamilies(JSON.stringify({ families, leftOut }));
  assertEquals(read([family]).problem, undefined);
  assertMatch(read([family], ["vgg9 f32"]).markdown!, /Left out.*vgg9 f32/);
  for (const wrong of [{ logits: 0.1 }, { losses: null }, { error: "no" }]) {
    assertEquals(
      read([{ ...family, ...wrong }]).problem,
      "not the CPU's: vgg11 f32",
    );
  }
  assertEquals(read([]).problem, "it printed no networks");
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

Deno.test("runStep() tells passed, failed, endless and skipped steps apart", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const run = (step: Partial<Step>, seconds = 60) =>
      runStep(
        { name: "a", title: "A", limit: 60, command: ["true"], ...step },
        { seconds, log: `${folder}/log` },
      );
    assertEquals((await run({})).status, "passed");
    const failed = await run({ command: ["sh", "-c", "echo why; exit 3"] });
    assertEquals([failed.status, failed.reason], ["failed", "exit code 3"]);
    assertEquals(failed.output, "why\n");
    const objected = await run({ read: () => ({ problem: "no" }) });
    assertEquals([objected.status, objected.reason], ["failed", "no"]);
    const endless = await run({ command: ["sleep", "60"] }, 5);
    assertEquals(endless.reason, "it took longer than 5 s");
    const late = await run({}, 1);
    assertEquals(late.reason, "no time was left for it");
    const skipped = await run({ command: { skip: "it is absent" } });
    assertEquals([skipped.status, skipped.reason], ["skipped", "it is absent"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("formatReport() shows why a step failed and the end of its output", () => {
  const report = formatReport([{
    name: "doctor",
    title: "What gapcam finds",
    status: "failed",
    seconds: 1,
    reason: "no | GPU",
    output: "first\nlast\n",
    markdown: "",
  }], { benchmark: undefined, small: true, revision: "abc" });
  assertMatch(report, /\| doctor \| failed \| 1 \| no \\\| GPU \|/);
  assertMatch(report, /```text\nfirst\nlast\n```/);
  assertMatch(report, /its numbers say nothing of a GPU/);
  assertMatch(report, /revision abc/);
});

Deno.test("kit.sh runs every step against the stand-in for a GPU and reports", async () => {
  const built = await buildStandIns();
  assertEquals(built.code, 0, built.output);
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["scripts/gpu/kit.sh", folder],
      cwd: root,
      env: {
        KIT_SMALL: "1",
        KIT_DENO: Deno.execPath(),
        GAPCAM_NVIDIA_FOLDER: `${standIns}/lib`,
        OMP_NUM_THREADS: "2",
      },
    }).output();
    const said = new TextDecoder().decode(stdout) +
      new TextDecoder().decode(stderr);
    assertEquals(code, 0, said);
    const report = await Deno.readTextFile(`${folder}/gpu-report.md`);
    for (
      const step of [
        "machine",
        "doctor",
        "linear",
        "parity",
        "families",
        "training",
        "benchmark",
      ]
    ) {
      assertMatch(report, new RegExp(`\\| ${step} \\| passed \\|`));
    }
    assertMatch(report, /\| cuda: linear equals plain loops.* \| ok \|/);
    assertMatch(report, /\| vgg16 \| train \| bf16 \| 4 \| \d/);
    assertEquals(
      [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
      ["benchmark.json", "gpu-report.md", "kit.log"],
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("kit.sh reports a machine without a GPU and fails", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code } = await new Deno.Command("sh", {
      args: ["scripts/gpu/kit.sh", `${folder}/out`],
      cwd: root,
      env: {
        KIT_SMALL: "1",
        KIT_DENO: Deno.execPath(),
        GAPCAM_LIBRARY_FOLDER: `${folder}/none`,
      },
    }).output();
    assertEquals(code, 1);
    const report = await Deno.readTextFile(`${folder}/out/gpu-report.md`);
    assertMatch(report, /\| doctor \| failed \|.*does not exist/);
    assertMatch(
      report,
      /\| benchmark \| skipped \| 0 \| there is no GPU to use \|/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
