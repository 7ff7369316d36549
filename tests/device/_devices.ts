import type { Device } from "../../src/device/device.ts";
import { openDevice } from "../../src/device/open_device.ts";

const BACKENDS = ["cpu", "cuda"] as const;

/** Backends that must open, from GAPCAM_REQUIRE=cuda or cpu,cuda. */
const required = (Deno.env.get("GAPCAM_REQUIRE") ?? "").split(",")
  .filter((name) => name !== "");
for (const name of required) {
  // A slip of the pen would turn a missing device into a skipped test.
  if (BACKENDS.some((backend) => backend === name)) continue;
  throw new Error(`GAPCAM_REQUIRE names ${name}, expected cpu or cuda`);
}

/** Why a backend cannot be opened here; empty if it can. */
const reasons = new Map<string, string>(BACKENDS.map((backend) => {
  try {
    openDevice(backend)[Symbol.dispose]();
    return [backend, ""];
  } catch (error) {
    return [backend, error instanceof Error ? error.message : String(error)];
  }
}));

/**
 * Registers a test for a backend. One that cannot be opened is a skipped test
 * whose name says why, or a failing one if GAPCAM_REQUIRE names it.
 */
export function backendTest(
  backend: typeof BACKENDS[number],
  name: string,
  test: () => Promise<void> | void,
): void {
  const reason = reasons.get(backend)!;
  const skipped = reason !== "" && !required.includes(backend);
  Deno.test({
    name: `${backend}: ${name}${skipped ? ` (skipped: ${reason})` : ""}`,
    ignore: skipped,
    fn: async () => await test(),
  });
}

/** Registers a test for each backend, as {@linkcode backendTest} does. */
export function deviceTest(
  name: string,
  test: (device: Device) => Promise<void> | void,
): void {
  for (const backend of BACKENDS) {
    backendTest(backend, name, async () => {
      using device = openDevice(backend, { threads: 2 });
      await test(device);
    });
  }
}
