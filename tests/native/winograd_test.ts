import { assertEquals, assertMatch } from "@std/assert";
import { build, libraries, run, withoutCompiler } from "./_build.ts";

Deno.test({
  name:
    `Winograd convolutions equal plain loops in float64 on every instruction set${withoutCompiler}`,
  ignore: withoutCompiler !== "",
  fn: async () => {
    await build("winograd_test");
    const { code, output } = await run(`${libraries}/winograd_test`, []);
    assertEquals(code, 0, output);
    assertMatch(
      output,
      /^passed: \d+ tables, \d+ values compared, 0 failures$/m,
    );
  },
});
