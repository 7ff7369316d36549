/**
 * What `scripts/gpu/check_plans.sh` prints and how it ends, over stand-ins for
 * NVIDIA's libraries: the real ones are not to be had everywhere, and refuse
 * nothing.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { buildStandIns, type Ended, run } from "../native/_cudasim.ts";

const DEVICES = ["sm_80", "sm_90"].map((name) =>
  `scripts/gpu/devices/${name}.json`
);

Deno.test("check_plans.sh prints a table and fails if a graph is refused", async (t) => {
  const built = await buildStandIns();
  assertEquals(built.code, 0, built.output);
  const folder = await Deno.makeTempDir();
  const plan = (
    env: Record<string, string> = {},
    devices = DEVICES,
  ): Promise<Ended> =>
    run("sh", [
      "scripts/gpu/check_plans.sh",
      ..."--models vgg11 --sizes 96 --batches 1 --precisions f32,bf16".split(
        " ",
      ),
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
        const { code, output } = await plan({}, [bad, ...DEVICES]);
        assertEquals(code, 1, output);
        assertMatch(
          output,
          /^cuDNN 9\.24\.0 does not take the description .*bad\.json: .*deviceVer/m,
        );
        assertMatch(output, /\n84 graphs, 84 planned, 0 refused\n$/);
      },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
