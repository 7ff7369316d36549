/**
 * Raw maps beside those of pytorch-grad-cam and captum, and of the papers'
 * formulas where a library computes others; see
 * scripts/fixtures/explain_parity.py.
 */

import { assert, assertEquals } from "@std/assert";
import { METHODS } from "../../mod.ts";
import { compareMaps } from "../../scripts/fixtures/_explain_parity.ts";
import { deviceTest } from "../device/_devices.ts";

deviceTest(
  "maps are pytorch-grad-cam's and captum's, or their papers' where those differ",
  async (device) => {
    const { pathname } = new URL(
      "../fixtures/explain/small.safetensors",
      import.meta.url,
    );
    const compared = new Set<string>();
    for await (const one of compareMaps(device, pathname)) {
      if (one.with === "other library") continue;
      compared.add(one.method);
      assert(one.error <= 1e-4, JSON.stringify(one));
    }
    // CAM has tests of its own; the fixture's image is too small for captum's occlusion.
    const left = METHODS.map(({ name }) => name)
      .filter((name) => !compared.has(name));
    assertEquals(left, ["cam", "occlusion"]);
  },
);
