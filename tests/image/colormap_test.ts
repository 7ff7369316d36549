import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import {
  colormap,
  COLORMAP_NAMES,
  type ColormapName,
} from "../../src/image/colormap.ts";
import { FIXTURES } from "./_reference.ts";

const expected = new Float64Array(
  Deno.readFileSync(new URL("colormaps.bin", FIXTURES)).buffer,
);

COLORMAP_NAMES.forEach((name, i) => {
  Deno.test(`colormap("${name}") equals matplotlib's table bit for bit`, () => {
    assertEquals(colormap(name), expected.slice(i * 768, (i + 1) * 768));
  });
});

Deno.test("colormap() names the maps that there are", () => {
  assertThrows(
    () => colormap("rainbow" as ColormapName),
    GapcamError,
    'Cannot colour map: found colormap "rainbow", expected jet, grey, hot, viridis, inferno, magma, plasma, cividis, turbo, bwr, RdBu_r',
  );
});
