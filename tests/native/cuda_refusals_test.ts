/**
 * What the CUDA backend says when a GPU or a library cannot be used, over
 * stand-ins (cudasim) that are told to be so.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  buildStandIns,
  type Ended,
  run,
  runTests,
  standIns,
} from "./_cudasim.ts";

const DEVICE = new URL("../../src/device/open_device.ts", import.meta.url).href;

/** Opens device `index` and does `body` with it; returns what is printed. */
async function attempt(
  options: { index?: number; precision?: string },
  env: Record<string, string>,
  body = "",
): Promise<string> {
  const script = `
    import { openDevice } from ${JSON.stringify(DEVICE)};
    try {
      using device = openDevice("cuda", ${JSON.stringify(options)});
      ${body}
      console.log("done");
    } catch (error) {
      console.log(error.code + ": " + error.message);
    }`;
  const file = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(file, script);
    const { code, output } = await run(
      Deno.execPath(),
      ["run", "-A", "--no-check", file],
      // What was planned for one memory size must not serve another.
      { GAPCAM_CACHE: "/dev/null/cache", ...env },
    );
    assertEquals(code, 0, output);
    return output.trim();
  } finally {
    await Deno.remove(file);
  }
}

/** Runs `deno task NAME` over the stand-ins. */
function command(
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  return run(Deno.execPath(), ["run", "-A", `scripts/${name}.ts`, ...args], {
    GAPCAM_CACHE: "/dev/null/cache",
    ...env,
  });
}

Deno.test("the CUDA backend says what is wrong", async (t) => {
  const built = await buildStandIns();
  assertEquals(built.code, 0, built.output);

  const refusals: [
    string,
    { index?: number; precision?: string },
    Record<string, string>,
    RegExp,
  ][] = [
    ["nothing", {}, {}, /^done$/],
    [
      "a cuDNN that is too old",
      {},
      { CUDASIM_CUDNN: "90700" },
      /^device-unavailable: Cannot open the CUDA device: .*libcudnn\.so\.9 is cuDNN 9\.7\.0, expected 9\.8 or newer$/,
    ],
    [
      "a cuDNN and a cuBLAS for two versions of CUDA",
      {},
      { CUDASIM_CUDNN_CUDA: "12000" },
      /^device-unavailable: .*libcublasLt\.so\.12 was not found, only .*libcublasLt\.so\.13, which is of another version; .*libcudnn\.so\.9 is for CUDA 12/,
    ],
    [
      "a driver that is older than the libraries",
      {},
      { CUDASIM_DRIVER: "12040" },
      /^device-unavailable: .* is for CUDA 13 and the driver supports CUDA 12\.4; update the driver/,
    ],
    [
      "a driver that is far too old",
      {},
      { CUDASIM_DRIVER: "11080" },
      /^device-unavailable: .* supports CUDA 11\.8, expected 12\.0 or newer; update it$/,
    ],
    [
      "a driver without a device",
      {},
      { CUDASIM_DEVICES: "0" },
      /^device-unavailable: Cannot open the CUDA device: the driver finds none$/,
    ],
    [
      "a device number that does not exist",
      { index: 2 },
      { CUDASIM_DEVICES: "2" },
      /^device-unavailable: Cannot open CUDA device 2: the driver finds 2, numbered from 0$/,
    ],
    [
      "bf16 on a card without it",
      { precision: "bf16" },
      { CUDASIM_CAPABILITY: "75" },
      /^unsupported: Cannot open Simulated GPU with precision bf16: it has compute capability 7\.5, expected 8\.0 or newer; use f32$/,
    ],
    [
      "an architecture that NVRTC does not know",
      {},
      { CUDASIM_CAPABILITY: "130" },
      /^unsupported: Cannot compile kernels for compute capability 13\.0: NVRTC 13\.0 does not know it/,
    ],
  ];
  for (const [name, options, env, expected] of refusals) {
    await t.step(name, async () => {
      assertMatch(await attempt(options, env), expected);
    });
  }

  await t.step("a folder of libraries that is not there", async () => {
    assertMatch(
      await attempt({}, { GAPCAM_NVIDIA_FOLDER: "/nowhere" }),
      /^device-unavailable: Cannot open the CUDA device: GAPCAM_NVIDIA_FOLDER is \/nowhere, where there is no folder; name one/,
    );
  });

  await t.step(
    "libraries of another CUDA version are passed over",
    async () => {
      const folder = await Deno.makeTempDir();
      try {
        // Whoever opened one of these would fail: they are empty.
        for (const name of ["cublasLt", "cublas", "nvrtc"]) {
          await Deno.writeTextFile(`${folder}/lib${name}.so.12`, "");
        }
        for (const { name } of Deno.readDirSync(`${standIns}/lib`)) {
          await Deno.symlink(`${standIns}/lib/${name}`, `${folder}/${name}`);
        }
        assertEquals(
          await attempt({}, { GAPCAM_NVIDIA_FOLDER: folder }),
          "done",
        );
        // The other version alone, first in the search.
        await Deno.remove(`${folder}/libcublas.so.13`);
        assertMatch(
          await attempt({}, { GAPCAM_NVIDIA_FOLDER: folder }),
          /^device-unavailable: .*libcublas\.so\.13 was not found, only .*libcublas\.so\.12, which is of another version; .* is for CUDA 13: install cuBLAS of CUDA 13/,
        );
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );

  await t.step("a flag for a device number that does not exist", async () => {
    const { code, output } = await command("train", [
      "--device",
      "cuda",
      "--device-index",
      "1",
    ]);
    assertEquals(code, 1);
    assertEquals(
      output,
      "error: Cannot open CUDA device 1: the driver finds 1, numbered from 0\n",
    );
  });

  await t.step("--debug names the step that failed", async () => {
    const folder = await Deno.makeTempDir();
    const train = (...more: string[]) =>
      command("train", [
        ..."--device cuda --dataset shapes --model 4 --image-size 16".split(
          " ",
        ),
        ..."--batch-size 8 --epochs 1 --train-limit 24 --test-limit 8".split(
          " ",
        ),
        "--out",
        `${folder}/${more.length}`,
        ...more,
      ], { CUDASIM_FAIL_LAUNCH: "60" });
    try {
      const plain = await train();
      assertEquals(plain.code, 1);
      assertMatch(plain.output, /^error: Cannot .*an illegal memory access/m);
      const { code, output } = await train("--debug");
      assertEquals(code, 1);
      assertMatch(
        output,
        /^error: Cannot run step "[^"]+": Cannot .*: an illegal memory access/m,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  await t.step("doctor names the GPU and each library", async () => {
    const { code, output } = await command("doctor", []);
    assertEquals(code, 0, output);
    assertMatch(
      output,
      /^found +GPU +Simulated GPU, compute capability 9\.0, 8\.0 GiB$/m,
    );
    for (
      const [name, version] of [
        ["libcuda.so.1", "13.0"],
        ["libcudnn.so.9", "9.24.0"],
        ["libcublasLt.so.13", "13.0.0"],
        ["libcublas.so.13", "13.0.0"],
        ["libnvrtc.so.13", "13.0"],
      ]
    ) {
      assertStringIncludes(
        output.replaceAll(/ +/g, " "),
        `found ${name} ${version}, ${standIns}/lib/${name}\n`,
      );
    }
  });

  await t.step("doctor names the first function that is missing", async () => {
    const { output } = await command("doctor", [], {
      GAPCAM_NVIDIA_FOLDER: `${standIns}/missing`,
    });
    assertMatch(
      output,
      /^missing +GPU +Cannot open the CUDA device: .*libcublas\.so\.13 has no function cublasSgemm_v2/m,
    );
    assertMatch(output, /^missing +libcublas\.so\.13 +\S/m);
    assertMatch(output, /^found +libcudnn\.so\.9 +9\.24\.0/m);
  });

  await t.step("doctor --verbose names graphs that are not fused", async () => {
    const fused = await command("doctor", ["--verbose"]);
    assertMatch(fused.output, /^found +Plans in bf16 +3 graphs are fused$/m);
    const { code, output } = await command("doctor", ["--verbose"], {
      CUDASIM_REFUSE_FUSED: "1",
    });
    assertEquals(code, 0, output);
    assertMatch(
      output,
      /^found +Plans in f32 +3 of 3 graphs are not fused: backward data .* \(cuDNN proposes no permitted engine\); forward /m,
    );
  });

  await t.step(
    "convolutions of each channel that cuDNN refuses are summed by our kernels",
    async () => {
      const { code, output } = await run(Deno.execPath(), [
        "test",
        "--no-check",
        "-A",
        "--filter",
        "cuda: grouped, depthwise",
        "tests/device/graph_test.ts",
      ], {
        GAPCAM_REQUIRE: "cuda",
        // Their filters have one.
        CUDASIM_REFUSE_CHANNELS: "1",
      });
      assertEquals(code, 0, output);
      assertMatch(output, /ok \| 1 passed \| 0 failed/);
    },
  );

  await t.step(
    "GAPCAM_REQUIRE=cuda fails where CUDA does not open",
    async () => {
      const test = (env: Record<string, string>) =>
        runTests([
          "--filter",
          "cuda: linear equals",
          "tests/device/operations_test.ts",
        ], { CUDASIM_DEVICES: "0", ...env });
      const skipped = await test({});
      assertEquals([skipped.code, skipped.passed], [0, []], skipped.output);
      assertMatch(
        skipped.ignored.join("\n"),
        /\(skipped: Cannot open the CUDA device: the driver finds none\)$/m,
      );
      const required = await test({ GAPCAM_REQUIRE: "cuda" });
      assertEquals(required.code, 1, required.output);
      assertMatch(required.output, /the driver finds none/);
    },
  );

  const program = `
    using images = device.tensor([64, 24, 24, 3], { type: "u8" });
    using weight = device.tensor([16, 3, 3, 3]);
    using program = device.program();
    const half = [0.5, 0.5, 0.5];
    const maps = program.prepareImages(images, {
      height: 24, width: 24, mean: half, deviation: half });
    program.output(program.conv2d(maps, weight, { padding: 1 }));
    await program.compile();
    await program.run("forward");`;

  await t.step("a batch that does not fit, and one that would", async () => {
    const bytes = 36 << 20;
    const message = await attempt(
      {},
      { CUDASIM_BYTES: String(bytes) },
      program,
    );
    const advised =
      /^out-of-memory: Cannot allocate .* for .*: .* are free on Simulated GPU; a batch size of (\d+) instead of 64 would fit$/
        .exec(message)?.[1];
    assertMatch(message, /would fit$/);
    assertEquals(
      await attempt(
        {},
        { CUDASIM_BYTES: String(bytes) },
        program.replace("[64,", `[${advised},`),
      ),
      "done",
    );
  });

  await t.step("memory that runs out, and what was there before", async () => {
    const message = await attempt(
      {},
      // The cuBLAS workspace takes 32 MiB of it.
      { CUDASIM_BYTES: String(40 << 20) },
      `
    const data = Float32Array.from({ length: 24 }, (_, i) => i);
    using small = device.tensor([1, 2, 3, 4], { data });
    let problem;
    try {
      device.tensor([1, 2, 1500, 1000]);
    } catch (error) {
      problem = error.code;
    }
    console.log(problem, small.read().join() === data.join());`,
    );
    assertEquals(message, "out-of-memory true\ndone");
  });

  await t.step("convolutions that cannot be fused still run", async () => {
    const tested = await runTests([
      "--filter",
      "/cuda: (conv2d|gradients)/",
      "tests/device/operations_test.ts",
    ], {
      GAPCAM_REQUIRE: "cuda",
      GAPCAM_CACHE: "/dev/null/cache",
      CUDASIM_REFUSE_FUSED: "1",
    });
    assertEquals([tested.code, tested.failed], [0, []], tested.output);
    for (const name of ["conv2d", "gradients"]) {
      assert(
        tested.passed.some((one) => one.includes(name)),
        tested.output,
      );
    }
  });
});

const sanitize = Deno.env.get("GAPCAM_SANITIZE") === "1";

Deno.test({
  name: "faults leave nothing behind, under AddressSanitizer" +
    (sanitize
      ? ""
      : " (skipped: it builds for a minute or two; set GAPCAM_SANITIZE=1)"),
  ignore: !sanitize,
  fn: async () => {
    const folder = `${standIns}-sanitized`;
    const configured = await run("cmake", [
      "-S",
      "tests/native/cudasim",
      "-B",
      folder,
      "-DCUDASIM_SANITIZE=ON",
    ]);
    assertEquals(configured.code, 0, configured.output);
    const built = await run("cmake", [
      "--build",
      folder,
      "--target",
      "faults",
      "sim_nvrtc",
      "sim_cublas_lt",
      "sim_cublas",
      "sim_cudnn_graph",
      "sim_cudnn",
      "sim_cublas_missing",
      "-j2",
    ]);
    assertEquals(built.code, 0, built.output);
    const { code, output } = await run(`${folder}/faults`, [], {
      GAPCAM_NVIDIA_FOLDER: `${folder}/lib`,
    });
    assertEquals(code, 0, output);
    assertMatch(output, /all faults became clear errors/);
    const unusable: [Record<string, string>, RegExp][] = [
      [{ CUDASIM_CUDNN: "90700" }, /is cuDNN 9\.7\.0, expected 9\.8/],
      [
        { GAPCAM_NVIDIA_FOLDER: `${folder}/missing` },
        /has no function cublasSgemm_v2/,
      ],
      [{ CUDASIM_DEVICES: "0" }, /the driver finds none/],
    ];
    for (const [env, expected] of unusable) {
      const { code, output } = await run(`${folder}/faults`, ["open"], {
        GAPCAM_NVIDIA_FOLDER: `${folder}/lib`,
        ...env,
      });
      assertEquals(code, 0, output);
      assertMatch(output, expected);
    }
  },
});
