import { assertEquals, assertMatch } from "@std/assert";
import { build, libraries, run, withoutCompiler } from "./_build.ts";

Deno.test({
  name:
    `processes share one cache: nothing is lost, waited for, or left behind${withoutCompiler}`,
  ignore: withoutCompiler !== "",
  fn: async () => {
    await build("cache_test");
    const folder = await Deno.makeTempDir();
    try {
      const { code, output } = await run(`${libraries}/cache_test`, [folder]);
      assertEquals(code, 0, output);
      assertMatch(output, /^passed: 0 failures$/m);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
