import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
} from "@std/assert";
import { fileURLToPath } from "node:url";
import { checkAgreement, checkFall } from "../../scripts/gpu/kit/_curves.ts";
import {
  lastJson,
  readDoctor,
  readSanitizer,
  readTests,
} from "../../scripts/gpu/kit/_read_output.ts";
import { apartOf, readFamilies } from "../../scripts/gpu/kit/_families.ts";
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

Deno.test("readFamilies() wants every network near the CPU, and says what was left out", () => {
  const apart = { loss: 1e-7, statistics: 0, gradients: 1e-2, logits: 1e-6 };
  const family = { name: "vgg11", precision: "f32", apart };
  const read = (families: unknown[], leftOut: string[] = []) =>
    readFamilies(JSON.stringify({ families, leftOut }));
  assertEquals(read([family]).problem, undefined);
  assertMatch(read([family], ["vgg9 f32"]).markdown!, /Left out.*vgg9 f32/);
  const faults = [
    { apart: { ...apart, logits: 0.1 } },
    { apart: { ...apart, loss: null } },
    { apart: undefined },
    { error: "no" },
  ];
  for (const wrong of faults) {
    assertEquals(
      read([{ ...family, ...wrong }]).problem,
      "not the CPU's: vgg11 f32",
    );
  }
  assertEquals(read([]).problem, "it printed no networks");
});

Deno.test("apartOf() finds the part that is farthest, and no number for what is not one", () => {
  const large = Float32Array.of(3e3, 4e3), little = Float32Array.of(5, 0);
  const apart = (...found: Float32Array[]) => apartOf(found, [large, little]);
  assertEquals(apart(large, little), 0);
  // 5 is a thousandth of 5e3, which counts with every part.
  assertAlmostEquals(apart(large, Float32Array.of(0, 0)), 0.5, 1e-3);
  assertAlmostEquals(apart(Float32Array.of(0, 0), little), 0.999, 1e-3);
  assert(Number.isNaN(apart(large, Float32Array.of(NaN, 0))));
  assert(Number.isNaN(apart(Float32Array.of(Infinity, 0), little)));
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
    output: `first\n{${"1".repeat(99)}\nlast\n`,
    markdown: "",
  }], { benchmark: undefined, small: true, revision: "abc" });
  assertMatch(report, /\| doctor \| failed \| 1 \| no \\\| GPU \|/);
  assertMatch(report, /```text\nfirst\n\(100 characters of JSON\)\nlast\n```/);
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
        "operations",
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
