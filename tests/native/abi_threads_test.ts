/**
 * Many threads on the C interface, by abi_threads.cpp: no crash, no deadlock,
 * no wrong value, nothing left.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { build, libraries, root, run, withoutCompiler } from "./_build.ts";

/** Builds abi_threads in `folder` and runs it for some seconds. */
async function runThreads(
  folder: string,
  seconds: number,
  env: Record<string, string> = {},
): Promise<void> {
  await build("abi_threads", folder);
  const cache = await Deno.makeTempDir();
  try {
    const { code, output } = await run(
      `${folder}/abi_threads`,
      [`${seconds}`],
      {
        GAPCAM_CACHE: cache,
        ...env,
      },
    );
    assertEquals(code, 0, output);
    assertMatch(output, /^passed: 6 cases, 0 failures$/m);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

async function configure(folder: string, option: string): Promise<void> {
  const { code, output } = await run("cmake", [
    "-S",
    "native",
    "-B",
    folder,
    "-DGAPCAM_CUDA=OFF",
    option,
  ]);
  assertEquals(code, 0, output);
}

Deno.test({
  name: `sixteen threads share the C interface${withoutCompiler}`,
  ignore: withoutCompiler !== "",
  fn: () => runThreads(libraries, 3),
});

const sanitize = Deno.env.get("GAPCAM_SANITIZE") === "1";
const skipped = withoutCompiler ||
  (sanitize
    ? ""
    : " (skipped: it builds for some minutes; set GAPCAM_SANITIZE=1)");

Deno.test({
  name:
    `sixteen threads share the C interface, and sizes are refused, under AddressSanitizer${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    const folder = `${libraries}/address-sanitizer`;
    await configure(folder, "-DGAPCAM_SANITIZE=ON");
    await runThreads(folder, 30);
    await build("recording_test", folder);
    const { code, output } = await run(`${folder}/recording_test`, []);
    assertEquals(code, 0, output);
  },
});

Deno.test({
  name:
    `sixteen threads share the C interface, under ThreadSanitizer${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    const folder = `${libraries}/thread-sanitizer`;
    await configure(folder, "-DGAPCAM_TSAN=ON");
    await runThreads(folder, 30, {
      TSAN_OPTIONS: `suppressions=${root}tests/native/tsan_suppressions.txt`,
    });
  },
});
