import { type Ended, libraries, root, run as runPlain } from "./_build.ts";

export type { Ended };

/** Folder of the built stand-ins for NVIDIA's libraries. */
export const standIns = `${libraries}/cudasim`;

/** Runs a command in the project's folder with NVIDIA's libraries stood in for. */
export function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  return runPlain(command, args, {
    GAPCAM_NVIDIA_FOLDER: `${standIns}/lib`,
    GAPCAM_LIBRARY_FOLDER: libraries,
    NO_COLOR: "1",
    ...env,
  });
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
