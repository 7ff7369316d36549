import { assertEquals } from "@std/assert";

interface ModuleGraph {
  modules: {
    specifier: string;
    dependencies?: { code?: { specifier: string }; isDynamic?: boolean }[];
  }[];
}

Deno.test("importing mod.ts loads none of Deno's slow modules", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("../mod.ts", import.meta.url).pathname],
  }).output();
  const graph = JSON.parse(new TextDecoder().decode(stdout)) as ModuleGraph;
  const builtIn = graph.modules
    .flatMap(({ dependencies }) => dependencies ?? [])
    .filter(({ isDynamic }) => !isDynamic)
    .flatMap(({ code }) => code?.specifier ?? [])
    .filter((specifier) => /^(node|npm):/.test(specifier));
  // node:fs, node:zlib and node:crypto take longer than all of gapcam.
  assertEquals([...new Set(builtIn)].sort(), [
    "node:buffer",
    "node:path",
    "node:url",
    "node:worker_threads",
  ]);
});
