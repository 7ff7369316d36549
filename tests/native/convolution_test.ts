import { assertEquals, assertMatch } from "@std/assert";
import { build, libraries, run, withoutCompiler } from "./_build.ts";

for (
  const [name, target] of [["Winograd", "winograd_test"], [
    "our direct",
    "blocked_test",
  ]] as const
) {
  Deno.test({
    name:
      `${name} convolutions equal plain loops in float64 on every instruction set${withoutCompiler}`,
    ignore: withoutCompiler !== "",
    fn: async () => {
      await build(target);
      const { code, output } = await run(`${libraries}/${target}`, []);
      assertEquals(code, 0, output);
      assertMatch(
        output,
        /^passed: \d+ tables, \d+ values compared, 0 failures$/m,
      );
    },
  });
}
