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
  // They take a fourth of the time of all of gapcam and more; the one is that of
  // threads' own modules, which are there for their types.
  assertEquals([...new Set(builtIn)], ["node:worker_threads"]);
});
