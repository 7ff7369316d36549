/**
 * The CUDA backend without a GPU: the real libgapcam_cuda over plain C++
 * stand-ins for NVIDIA's libraries (cudasim), which execute its graphs by loops
 * and its kernels, compiled for the host.
 *
 * @module
 */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertMatch,
} from "@std/assert";
import { buildStandIns, run, runTests, standIns } from "./_cudasim.ts";

const MODULE = new URL("../../mod.ts", import.meta.url).href;

Deno.test("the CUDA backend over stand-ins for NVIDIA's libraries", async (t) => {
  const built = await buildStandIns();
  assertEquals(built.code, 0, built.output);

  await t.step("equals plain loops in every operation", async () => {
    const tested = await runTests([
      "--filter",
      "cuda: ",
      "tests/device/activation_test.ts",
      "tests/device/bf16_test.ts",
      "tests/device/dropout_test.ts",
      "tests/device/fused_epilogue_test.ts",
      "tests/device/graph_test.ts",
      "tests/device/losses_test.ts",
      "tests/device/updates_test.ts",
      "tests/device/random_graphs_test.ts",
      "tests/device/operations_test.ts",
      "tests/device/nan_test.ts",
      "tests/explain/methods_test.ts",
      "tests/explain/methods_look_test.ts",
      "tests/explain/methods_parity_test.ts",
      "tests/explain/methods_place_test.ts",
    ], { GAPCAM_REQUIRE: "cuda" });
    assertEquals([tested.code, tested.failed], [0, []], tested.output);
    // What a filter leaves out is reported as ignored too.
    const ignored = tested.ignored.filter((name) => name.startsWith("cuda: "));
    assertEquals(ignored, []);
    for (const operation of ["conv2d", "max_pool2d", "linear", "gradients"]) {
      assert(
        tested.passed.some((name) => name.includes(operation)),
        tested.output,
      );
    }
  });

  await t.step("completes with kernels what cuDNN does not fuse", async () => {
    const folder = await Deno.makeTempDir();
    try {
      const tested = await runTests([
        "--filter",
        "cuda: ",
        "tests/device/fused_epilogue_test.ts",
      ], {
        GAPCAM_REQUIRE: "cuda",
        GAPCAM_CACHE: folder,
        CUDASIM_REFUSE_FUSED: "1",
      });
      assertEquals([tested.code, tested.failed], [0, []], tested.output);
      const own = await runTests([
        "--filter",
        "cuda: ",
        "tests/device/depthwise_test.ts",
      ], {
        GAPCAM_REQUIRE: "cuda",
        GAPCAM_CACHE: folder,
        // Filters of one channel.
        CUDASIM_REFUSE_CHANNELS: "1",
      });
      assertEquals([own.code, own.failed], [0, []], own.output);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  await t.step("keeps what devices, tensors and programs promise", async () => {
    const tested = await runTests([
      "tests/device/launches_test.ts",
      "tests/device/norm_then_activation_test.ts",
      "tests/device/tensor_test.ts",
      "tests/device/program_test.ts",
    ], { GAPCAM_TEST_DEVICE: "cudasim" });
    assertEquals([tested.code, tested.failed], [0, []], tested.output);
    // A stand-in does one thing at a time.
    assertEquals(tested.ignored.sort(), [
      "a run leaves the event loop free and refuses a second one meanwhile",
      "a staged tensor can be written while a run is in flight",
    ]);
    assert(
      tested.passed.includes("staged feature maps lie as others do"),
      tested.output,
    );
  });

  await t.step(
    "trains on, and explains, what the CPU began, and back",
    async () => {
      const folder = await Deno.makeTempDir();
      try {
        const train = async (
          device: string,
          epochs: number,
          ...job: string[]
        ) => {
          const { code, output } = await run(Deno.execPath(), [
            "run",
            "-A",
            "scripts/train.ts",
            "--device",
            device,
            "--epochs",
            String(epochs),
            ...job,
          ]);
          assertEquals(code, 0, output);
          assertMatch(
            output,
            device === "cuda" ? /Device: Simulated GPU, CUDA/ : /Device: CPU/,
          );
        };
        const job = "--dataset shapes --model 8,M,8 --image-size 16 " +
          "--batch-size 8 --train-limit 40 --test-limit 16 --out";
        await train("cpu", 1, ...job.split(" "), `${folder}/run`);
        await train("cuda", 2, "--resume", `${folder}/run`);
        await train("cpu", 3, "--resume", `${folder}/run`);
        const script = `${folder}/maps.js`;
        await Deno.writeTextFile(
          script,
          `import { Explainer, readCheckpoint, Network, openDevice, shapesDataset }
           from ${JSON.stringify(MODULE)};
         const shapes = shapesDataset("test", { size: 16 });
         const pixels = new Uint8Array(16 * 16 * 3);
         await shapes.read([3], pixels);
         const { model, parameters: state } = await readCheckpoint(
           ${JSON.stringify(`${folder}/run/checkpoint.safetensors`)});
         const maps = [];
         const devices = [["cpu", "f32"], ["cuda", "f32"], ["cuda", "tf32"],
           ["cuda", "bf16"]];
         for (const [backend, precision] of devices) {
           using device = openDevice(backend, { precision });
           using network = new Network(device, model, { state });
           using explainer = await Explainer.create(network,
             { batchSize: 1, image: shapes });
           const [{ map, predicted, place }] = await explainer.explain(pixels);
           maps.push({ predicted, data: Array.from(map.data), place });
         }
         console.log(JSON.stringify(maps));`,
        );
        const { code, output } = await run(Deno.execPath(), [
          "run",
          "-A",
          "--no-check",
          script,
        ]);
        assertEquals(code, 0, output);
        const maps = JSON.parse(
          output.split("\n").find((line) => line.startsWith("["))!,
        );
        // The sums over places are of what the device holds, in any precision.
        for (const { place } of maps) assertLess(place.residual, 1e-6);
        const [cpu, cuda] = maps;
        assertEquals(cpu.predicted, cuda.predicted);
        assertEquals(cpu.data.length, 8 * 8);
        cpu.data.forEach((value: number, i: number) =>
          assertAlmostEquals(value, cuda.data[i], 1e-3)
        );
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );

  await t.step(
    "reads the loss every logEvery steps, and not between",
    async () => {
      const folder = await Deno.makeTempDir();
      try {
        await Deno.writeTextFile(
          `${folder}/train.js`,
          `import { Network, openDevice, shapesDataset, train, trainingConfig, vgg }
           from ${JSON.stringify(MODULE)};
         using device = openDevice("cuda");
         using network = new Network(device, vgg([4], { classes: 10 }));
         const shapes = shapesDataset("train", { size: 8, length: 40 });
         const known = [];
         const config = trainingConfig(
           { imageSize: 8, batchSize: 4, epochs: 1, logEvery: 4 });
         await train(network, shapes, {
           config, onStep: ({ loss }) => known.push(loss > 0) });
         console.log(JSON.stringify(known));`,
        );
        const { code, output } = await run(Deno.execPath(), [
          "run",
          "-A",
          "--no-check",
          `${folder}/train.js`,
        ]);
        assertEquals(code, 0, output);
        // Until the first is read there is none; after each interval's report it starts anew.
        assertEquals(
          JSON.parse(output),
          [0, 0, 0, 1, 0, 0, 0, 1, 0, 1].map(Boolean),
        );
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );

  await t.step(
    "turns every failed allocation and kernel into a clear error",
    async () => {
      const { code, output } = await run(`${standIns}/faults`, []);
      assertEquals(code, 0, output);
      assertMatch(output, /all faults became clear errors/);
    },
  );

  await t.step("serves sixteen threads that share it", async () => {
    const { code, output } = await run(`${standIns}/abi_threads`, ["3"], {
      GAPCAM_CACHE: "/dev/null/cache",
    });
    assertEquals(code, 0, output);
    assertMatch(output, /^passed: 6 cases, 0 failures$/m);
  });

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
