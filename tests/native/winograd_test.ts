import { assertEquals, assertMatch } from "@std/assert";

const folder = Deno.env.get("GAPCAM_LIBRARY_FOLDER") ??
  decodeURIComponent(new URL("../../build", import.meta.url).pathname);

async function run(command: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    // Waiting threads that spin would take the cores from working ones.
    env: { OMP_WAIT_POLICY: "passive" },
  }).output();
  const text = new TextDecoder();
  return { code, output: text.decode(stdout) + text.decode(stderr) };
}

Deno.test("Winograd convolutions equal plain loops in float64 on every instruction set", async () => {
  const built = await run("cmake", "--build", folder, "-t", "winograd_test");
  assertEquals(built.code, 0, built.output);
  const { code, output } = await run(`${folder}/winograd_test`);
  assertEquals(code, 0, output);
  assertMatch(output, /^passed: \d+ tables, \d+ values compared, 0 failures$/m);
});
