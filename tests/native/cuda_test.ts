/**
 * The CUDA backend without a GPU: the real libgapcam_cuda over plain C++
 * stand-ins for NVIDIA's libraries (cudasim), which execute its graphs by loops
 * and its kernels, compiled for the host.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildStandIns, run, standIns } from "./_cudasim.ts";

Deno.test("the CUDA backend over stand-ins for NVIDIA's libraries", async (t) => {
  const built = await buildStandIns();
  assertEquals(built.code, 0, built.output);

  await t.step("equals plain loops in every operation", async () => {
    const { code, output } = await run(Deno.execPath(), [
      "test",
      "--no-check",
      "-A",
      "--filter",
      "cuda: ",
      "tests/device/operations_test.ts",
    ], { GAPCAM_REQUIRE: "cuda" });
    assertEquals(code, 0, output);
    assertMatch(output, /ok \| \d\d+ passed \| 0 failed/);
  });

  await t.step("keeps what devices, tensors and programs promise", async () => {
    const { code, output } = await run(Deno.execPath(), [
      "test",
      "--no-check",
      "-A",
      // Those that watch a run in flight are sized for a real device: loops
      // take a minute, and most of it while the kernels are recorded.
      "--filter",
      "/^(?!a run leaves|a staged tensor|disposing of a program)/",
      "tests/device/tensor_test.ts",
      "tests/device/program_test.ts",
    ], { GAPCAM_TEST_DEVICE: "cuda" });
    assertEquals(code, 0, output);
  });

  await t.step("trains, evaluates and explains as the CPU does", async () => {
    const folder = await Deno.makeTempDir();
    try {
      const trained = await run(Deno.execPath(), [
        "run",
        "-A",
        "scripts/train.ts",
        ..."--device cuda --dataset shapes --model 8,M,8 --image-size 16"
          .split(" "),
        ..."--batch-size 8 --epochs 1 --train-limit 40 --test-limit 16".split(
          " ",
        ),
        "--out",
        `${folder}/run`,
      ]);
      assertEquals(trained.code, 0, trained.output);
      const logits = [];
      for (const device of ["cuda", "cpu"]) {
        const { code, output } = await run(Deno.execPath(), [
          "run",
          "-A",
          "scripts/cam.ts",
          ..."--index 3 --json --device".split(" "),
          device,
          "--checkpoint",
          `${folder}/run`,
          "--out",
          `${folder}/${device}`,
        ]);
        assertEquals(code, 0, output);
        const found = /"logit":\s*(-?[\d.e-]+)/.exec(output);
        assert(found, output);
        logits.push(Number(found[1]));
      }
      assert(Math.abs(logits[0]! - logits[1]!) < 1e-3, String(logits));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  await t.step(
    "turns every failed allocation and kernel into a clear error",
    async () => {
      const { code, output } = await run(`${standIns}/faults`, []);
      assertEquals(code, 0, output);
      assertMatch(output, /all faults became clear errors/);
    },
  );

  await t.step("names a function that a library lacks", async () => {
    const { code, output } = await run(Deno.execPath(), [
      "run",
      "-A",
      "scripts/train.ts",
      "--device",
      "cuda",
    ], { GAPCAM_NVIDIA_FOLDER: `${standIns}/missing` });
    assertEquals(code, 1, output);
    assertMatch(output, /^error: Cannot open the CUDA device: .*cublas/m);
  });
});
