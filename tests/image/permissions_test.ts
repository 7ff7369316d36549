import { assertEquals, assertStringIncludes } from "@std/assert";
import { FIXTURES } from "./_reference.ts";

const MOD = new URL("../../mod.ts", import.meta.url).href;
const FILE = new URL("odd/lossy.webp", FIXTURES).pathname;
const ENVIRONMENT = "--allow-env=npm_package_config_libvips,MALLOC_ARENA_MAX";

/** Runs a script with some permissions; its output and errors. */
async function run(script: string, permissions: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/script.ts`, script);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", `--config=${config}`],
        ...permissions,
        `${folder}/script.ts`,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return decoder.decode(stdout) + decoder.decode(stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const READ = `
  import { readImage } from ${JSON.stringify(MOD)};
  try {
    console.log((await readImage(${JSON.stringify(FILE)})).width);
  } catch (error) {
    console.log(error.code, error.message);
  }
`;

Deno.test("readImage() needs to read, FFI for the decoder's library, and two variables", async () => {
  assertEquals(
    await run(READ, ["--allow-read", "--allow-ffi", ENVIRONMENT]),
    "51\n",
  );
});

for (
  const [name, permissions, found] of [
    ["FFI", ["--allow-read", ENVIRONMENT], 'permission ffi for "'],
    [
      "variables",
      ["--allow-read", "--allow-ffi"],
      'permission env for "npm_package_config_libvips"',
    ],
  ] as const
) {
  Deno.test(`readImage() names the missing permission, and calls no file damaged (${name})`, async () => {
    const text = await run(READ, [...permissions]);
    assertStringIncludes(
      text,
      `not-allowed Cannot read ${FILE}: the decoder (npm:sharp) lacks Deno's `,
    );
    assertStringIncludes(text, found);
  });
}

Deno.test("readImage() says that it may not read a file", async () => {
  assertEquals(
    await run(READ, ["--allow-ffi", ENVIRONMENT]),
    `not-allowed Cannot read ${FILE}: Deno's permission to read it is missing\n`,
  );
});

Deno.test("openFolder() fails for want of a permission, and counts no file unreadable", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const path of ["train/a", "train/b", "test/a"]) {
      await Deno.mkdir(`${folder}/${path}`, { recursive: true });
      await Deno.copyFile(FILE, `${folder}/${path}/1.webp`);
    }
    const script = `
      import { openFolder } from ${JSON.stringify(MOD)};
      using dataset = openFolder("train", ${
      JSON.stringify(folder)
    }, { size: 8 });
      const target = new Uint8Array(2 * 8 * 8 * 3);
      try {
        await dataset.read([0, 1], target);
      } catch (error) {
        console.log(error.code, dataset.unreadable.length, [...dataset.labels]);
      }
    `;
    assertEquals(
      await run(script, ["--allow-read", ENVIRONMENT]),
      "not-allowed 0 [ 0, 1 ]\n",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
