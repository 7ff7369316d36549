/**
 * Prints the folders of Deno's cache that hold the npm packages which a module
 * imports, itself or through others, one a line: the cache's folder of npm
 * packages first.
 *
 *   deno run -A scripts/gpu/kit/packages.ts mod.ts
 *
 * @module
 */

interface Info {
  npmCache: string;
  modules: { npmPackage?: string }[];
  npmPackages: Record<
    string,
    { localPath: string; dependencies: string[] }
  >;
}

async function info(...args: string[]): Promise<Info> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", ...args],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

const { modules, npmPackages } = await info(Deno.args[0]!);
const folders = new Set<string>();
const pending = modules.flatMap(({ npmPackage }) => npmPackage ?? []);
for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
  const found = npmPackages[id];
  if (!found) throw new Error(`Deno knows nothing of ${id}`);
  // One up from the version: what the registry said of the package lies there.
  const folder = found.localPath.slice(0, found.localPath.lastIndexOf("/"));
  if (folders.has(folder)) continue;
  folders.add(folder);
  pending.push(...found.dependencies);
}
console.log((await info()).npmCache);
for (const folder of folders) console.log(folder);
