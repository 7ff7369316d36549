import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where the native libraries are, and CMake's build of them. */
export const libraries = Deno.env.get("GAPCAM_LIBRARY_FOLDER") ??
  `${root}build`;

/** What a command printed, and how it ended. */
export interface Ended {
  code: number;
  output: string;
}

/** Runs a command in the project's folder. */
export async function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: root,
    // Waiting threads that spin would take the cores from working ones.
    env: { OMP_WAIT_POLICY: "passive", ...env },
  }).output();
  const text = new TextDecoder();
  return { code, output: text.decode(stdout) + text.decode(stderr) };
}

/** Ends the name of a test that needs a compiler: empty, or why it is skipped. */
export let withoutCompiler = "";
try {
  await run("cmake", ["--version"]);
} catch {
  withoutCompiler = " (skipped: there is no cmake)";
}

/** Builds one of CMake's targets in `folder`. */
export async function build(
  target: string,
  folder: string = libraries,
): Promise<void> {
  const { code, output } = await run("cmake", [
    "--build",
    folder,
    "--target",
    target,
  ]);
  assertEquals(code, 0, output);
}
