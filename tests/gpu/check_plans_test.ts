/**
 * What `scripts/gpu/check_plans.sh` prints and how it ends, over stand-ins for
 * NVIDIA's libraries: the real ones are not to be had everywhere, and refuse
 * nothing.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { root } from "../native/_build.ts";
import { buildStandIns, type Ended, run } from "../native/_cudasim.ts";

const DEVICES = ["sm_80", "sm_90"].map((name) =>
  `scripts/gpu/devices/${name}.json`
);

/** Compiles a program that adds a tensor to itself, and runs it. */
const RUN = `
import { openDevice } from "./mod.ts";
const device = openDevice("cuda");
const one = device.tensor([4], { data: new Float32Array(4) });
const program = device.program();
program.output(program.add(one, one));
await program.compile();
try {
  await program.run("forward");
} catch (error) {
  console.log(error.code + ": " + error.message);
}
`;

Deno.test("check_plans.sh prints a table and fails if a graph is refused", async (t) => {
  const built = await buildStandIns();
  assertEquals(built.code, 0, built.output);
  const folder = await Deno.makeTempDir();
  const plan = (
    env: Record<string, string> = {},
    { devices = DEVICES, models = "vgg11", precisions = "f32,bf16" } = {},
  ): Promise<Ended> =>
    run("sh", [
      "scripts/gpu/check_plans.sh",
      ...["--models", models, "--precisions", precisions],
      ..."--sizes 96 --batches 1".split(" "),
      ...devices,
    ], { GAPCAM_CACHE: folder, ...env });
  try {
    await t.step("all are planned", async () => {
      const { code, output } = await plan();
      assertEquals(code, 0, output);
      for (const device of ["sm_80", "sm_90"]) {
        assertMatch(
          output,
          new RegExp(`^${device} +all kernels compiled`, "m"),
        );
        assertMatch(
          output,
          new RegExp(
            `^${device} +forward \\[1, 256, 24, 24\\] .* leaky_relu 0\\.2 bf16 +fused +engine 1, workspace 1000`,
            "m",
          ),
        );
      }
      assertMatch(output, /\n84 graphs, 84 planned, 0 refused\n$/);
    });

    await t.step("what is not fused is planned in parts", async () => {
      const { code, output } = await plan({ CUDASIM_REFUSE_FUSED: "1" });
      assertEquals(code, 0, output);
      assertMatch(output, /unfused +not to be had; else engine 1, workspace/);
      assertMatch(
        output,
        /\n84 graphs, 84 planned, 0 refused \(40 of them not fused\)\n$/,
      );
    });

    await t.step(
      "a refused graph is named, and the others planned",
      async () => {
        const { code, output } = await plan({ CUDASIM_REFUSE_CHANNELS: "256" });
        assertEquals(code, 1, output);
        assertMatch(
          output,
          /^sm_90 +backward filter \[1, 256, 12, 12\] .* refused\n +backward filter .*: cuDNN proposes no permitted engine$/m,
        );
        assertMatch(output, /\n84 graphs, 60 planned, 24 refused\n$/);
      },
    );

    await t.step(
      "a description that cuDNN does not take is named",
      async () => {
        const bad = `${folder}/bad.json`;
        await Deno.writeTextFile(bad, "{}");
        const { code, output } = await plan({}, {
          devices: [bad, ...DEVICES],
        });
        assertEquals(code, 1, output);
        assertMatch(
          output,
          /^error: Cannot open the described device: cuDNN 9\.24\.0 does not take the description .*bad\.json: .*deviceVer/m,
        );
        assertMatch(output, /\n84 graphs, 84 planned, 0 refused\n$/);
      },
    );

    await t.step("a network with shortcuts is planned", async () => {
      const { code, output } = await plan({}, {
        devices: DEVICES.slice(1),
        models: "resnet18",
        precisions: "bf16",
      });
      assertEquals(code, 0, output);
      // A shortcut of 1 x 1, forward and back, and as inference folds it.
      for (
        const graph of [
          /^sm_90 +forward \[1, 64, 24, 24\] 128 x 1 x 1 stride 2 x 2 .*bf16 +planned/m,
          /^sm_90 +backward data \[1, 64, 24, 24\] 128 x 1 x 1 stride 2 x 2 .*sum leaky_relu 0 bf16 +fused/m,
          /^sm_90 +forward \[1, 64, 24, 24\] 128 x 1 x 1 stride 2 x 2 .*bias .*bf16 +fused/m,
        ]
      ) assertMatch(output, graph);
      assertMatch(output, /\n\d+ graphs, \d+ planned, 0 refused\n$/);
    });

    await t.step(
      "nothing runs on a device that is only described",
      async () => {
        const { code, output } = await run(Deno.execPath(), ["eval", RUN], {
          GAPCAM_CACHE: folder,
          GAPCAM_LIBRARY_FOLDER: `${root}build/check-plans/described`,
          GAPCAM_DESCRIBED_DEVICE: DEVICES[0]!,
        });
        assertEquals(code, 0, output);
        assertEquals(
          output,
          "unsupported: Cannot run a program: the device is only described, and " +
            "programs can only be compiled for it; open a real device\n",
        );
      },
    );

    await t.step("a model that is not known is refused", async () => {
      const { code, output } = await plan({}, {
        devices: DEVICES.slice(1),
        models: "vgg12",
      });
      assertEquals(code, 1, output);
      assertMatch(
        output,
        /^error: --models does not know "vgg12"; choose among vgg11, /m,
      );
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
