import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where libgapcam_cuda is: what the stand-ins' `faults` links to. */
const libraries = Deno.env.get("GAPCAM_LIBRARY_FOLDER") ?? `${root}build`;

/** Folder of the built stand-ins for NVIDIA's libraries. */
export const standIns = `${libraries}/cudasim`;

/** What a command printed, and how it ended. */
export interface Ended {
  code: number;
  output: string;
}

/** Runs a command in the project's folder with NVIDIA's libraries stood in for. */
export async function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: root,
    env: {
      GAPCAM_NVIDIA_FOLDER: `${standIns}/lib`,
      GAPCAM_LIBRARY_FOLDER: libraries,
      NO_COLOR: "1",
      // Waiting threads that spin would take the cores from working ones.
      OMP_WAIT_POLICY: "passive",
      ...env,
    },
  }).output();
  const text = new TextDecoder();
  return { code, output: text.decode(stdout) + text.decode(stderr) };
}

/** Builds the stand-ins, where anything has changed. */
export async function buildStandIns(): Promise<Ended> {
  const source = `${root}tests/native/cudasim`;
  const configured = await run("cmake", [
    "-S",
    source,
    "-B",
    standIns,
    `-DGAPCAM_LIBRARY=${libraries}/libgapcam_cuda.so`,
  ]);
  if (configured.code !== 0) return configured;
  return await run("cmake", ["--build", standIns, "-j2"]);
}
