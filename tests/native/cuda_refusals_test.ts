/**
 * What the CUDA backend says when a GPU or a library cannot be used, over
 * stand-ins (cudasim) that are told to be so.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { buildStandIns, run, standIns } from "./_cudasim.ts";

const DEVICE = new URL("../../src/device/device.ts", import.meta.url).href;

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

  await t.step("convolutions that cannot be fused still run", async () => {
    const { code, output } = await run(Deno.execPath(), [
      "test",
      "--no-check",
      "-A",
      "--filter",
      "/cuda: (conv2d|gradients)/",
      "tests/device/operations_test.ts",
    ], {
      GAPCAM_REQUIRE: "cuda",
      GAPCAM_CACHE: "/dev/null/cache",
      CUDASIM_REFUSE_FUSED: "1",
    });
    assertEquals(code, 0, output);
    assertMatch(output, /ok \| 2 passed/);
  });
});

const sanitize = Deno.env.get("GAPCAM_SANITIZE") === "1";

Deno.test({
  name: "faults leave nothing behind, under AddressSanitizer" +
    (sanitize
      ? ""
      : " (skipped: it builds for minutes; set GAPCAM_SANITIZE=1)"),
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
      "-j2",
    ]);
    assertEquals(built.code, 0, built.output);
    const { code, output } = await run(`${folder}/faults`, [], {
      GAPCAM_NVIDIA_FOLDER: `${folder}/lib`,
    });
    assertEquals(code, 0, output);
    assertMatch(output, /all faults became clear errors/);
  },
});
