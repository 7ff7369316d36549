import { assertEquals, assertMatch } from "@std/assert";
import { build, libraries, run, withoutCompiler } from "./_build.ts";

Deno.test({
  name:
    `the C interface refuses sizes that no number holds, takes gradients as inputs, and tells what a description takes${withoutCompiler}`,
  ignore: withoutCompiler !== "",
  fn: async () => {
    await build("recording_test");
    const { code, output } = await run(`${libraries}/recording_test`, []);
    assertEquals(code, 0, output);
    assertMatch(output, /^passed: \d\d cases, 0 failures$/m);
  },
});
