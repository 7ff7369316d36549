import { assert, assertEquals } from "@std/assert";
import { METHODS } from "../../mod.ts";

const ROOT = new URL("../../", import.meta.url);
const DOCUMENT = await Deno.readTextFile(new URL("docs/explaining.md", ROOT));

Deno.test("docs/explaining.md has a row and a section for every method, and no other", () => {
  const rows = [
    ...DOCUMENT.matchAll(
      /^\| \[(.*?)\]\(#(.*?)\)\s*\| (.*?)\s*\| (.*?)\s*\|/gm,
    ),
  ]
    .map(([, name, anchor, looksAt, standing]) => ({
      name,
      anchor,
      looksAt: looksAt!.replace("any ", ""),
      standing: standing!.replace("¹", ""),
    }));
  assertEquals(
    rows.map(({ name, looksAt, standing }) => ({ name, looksAt, standing })),
    METHODS.map(({ name, looksAt, standing }) => ({ name, looksAt, standing })),
  );
  // As GitHub makes anchors: letters, digits, "-"; a second one gets a number.
  const anchors: string[] = [];
  for (const [, heading] of DOCUMENT.matchAll(/^#+ (.*)$/gm)) {
    const plain = heading!.toLowerCase().replace(/[^a-z0-9 -]/g, "")
      .replaceAll(" ", "-");
    const before = anchors.filter((one) => one.replace(/-\d+$/, "") === plain);
    anchors.push(before.length === 0 ? plain : `${plain}-${before.length}`);
  }
  for (const { anchor } of rows) assert(anchors.includes(anchor!), anchor);
});

Deno.test("the script of docs/explaining.md runs", async () => {
  const [, script] = DOCUMENT.match(/```ts\n([\s\S]*?)```/)!;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      file,
      script!.replace('"./mod.ts"', JSON.stringify(new URL("mod.ts", ROOT))),
    );
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", file],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    assert(new TextDecoder().decode(stdout).startsWith("heuristic "));
  } finally {
    await Deno.remove(file);
  }
});
