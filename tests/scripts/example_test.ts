import { assert, assertEquals, assertMatch } from "@std/assert";
import { withFolder } from "./_run_command.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("README's script is scripts/example.ts", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const script = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  const example = await Deno.readTextFile(new URL("scripts/example.ts", ROOT));
  assertEquals(script?.replace("./mod.ts", "../mod.ts"), example);
});

Deno.test("README's script trains, proves a map and writes it", () =>
  withFolder(async (folder) => {
    const example = await Deno.readTextFile(
      new URL("scripts/example.ts", ROOT),
    );
    // Fewer images, from elsewhere; all else as it stands.
    const script = example
      .replace("../mod.ts", new URL("mod.ts", ROOT).href)
      .replace("{ size: imageSize }", "{ size: imageSize, length: 128 }");
    assertEquals(script === example, false);
    await Deno.writeTextFile(`${folder}/example.ts`, script);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        `--allow-ffi=${ROOT.pathname}build`,
        `--allow-read=${ROOT.pathname}build`,
        "--allow-write=cam.png",
        "--allow-env=GAPCAM_LIBRARY_FOLDER",
        "example.ts",
      ],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    assertMatch(
      text,
      /^accuracy on the training images: 0\.\d+\n[a-z]+ 0\.\d+ proved to \S+\n$/,
    );
    const png = await Deno.readFile(`${folder}/cam.png`);
    assertEquals(png.subarray(1, 4), new TextEncoder().encode("PNG"));
  }));

Deno.test("every task that README names exists", async () => {
  const { tasks } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  );
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const named = [...readme.matchAll(/^\| `deno task (\w+)/gm)]
    .map(([, name]) => name!);
  assertEquals(named.filter((name) => !(name in tasks)), []);
  assert(named.length > 5);
});
