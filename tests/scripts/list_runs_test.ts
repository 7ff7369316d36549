import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatTable } from "../../scripts/_table.ts";
import {
  assertRefused,
  runCommand,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

Deno.test("formatTable() aligns columns and leaves empty ones out", () => {
  assertEquals(
    formatTable(["a", "none", "number"], [["long", "", "1"], ["b", "", "23"]], {
      right: [2],
    }),
    "a     number\nlong       1\nb         23",
  );
});

Deno.test("runs lists runs, compares two, names one and removes it", () =>
  withFolder(async (workingFolder) => {
    const options = { workingFolder, folder: workingFolder };
    const runs = `${workingFolder}/runs`;
    const none = await runCommand("runs", [], options);
    assertEquals([none.code, none.stdout], [0, "No runs in runs\n"]);
    await trainSmall(`${runs}/a`);
    await Deno.rename(`${runs}/a/run`, `${runs}/first`);
    await Deno.remove(`${runs}/a`);
    await trainSmall(`${runs}/b`, "--epochs=2", "--augment=flip");
    await Deno.rename(`${runs}/b/run`, `${runs}/second`);
    await Deno.remove(`${runs}/b`);
    await Deno.mkdir(`${runs}/broken`);
    await Deno.writeTextFile(`${runs}/broken/log.jsonl`, "nonsense\n");
    const named = await runCommand("runs", ["name", "first", "plain"], options);
    assertEquals(named.stdout, "runs/first is called plain now\n");
    const list = await runCommand("runs", [], options);
    assertMatch(
      list.stdout,
      /^run {5}name {3}state {5}data {4}model {2}epochs +train +test\nfirst {3}plain {2}finished {2}shapes {2}tiny {6}1\/1 +\d+\.\d\d % +\d+\.\d\d %\nsecond {9}finished {2}shapes {2}tiny {6}2\/2 /,
    );
    assertMatch(list.stderr, /^note: passed over runs\/broken: .*not JSON\n$/);
    const json = await runCommand("runs", ["--json"], options);
    assertEquals(
      JSON.parse(json.stdout).map(({ id }: { id: string }) => id),
      ["first", "second"],
    );
    const compared = await runCommand(
      "runs",
      ["compare", "plain", "runs/second"],
      options,
    );
    assertMatch(compared.stdout, /^set to +plain +second\nepochs +1 +2\n/);
    assertMatch(compared.stdout, /\nflip +false +true\n/);
    assertStringIncludes(compared.stdout, "\ntest accuracy ");
    const used = await runCommand(
      "eval",
      ["--checkpoint=plain", "--device=cpu"],
      options,
    );
    assertStringIncludes(used.stdout, "runs/first/checkpoint.safetensors");
    const removed = await runCommand("runs", ["remove", "plain"], options);
    assertEquals(removed.stdout, "Removed runs/first\n");
    assertEquals(
      [...Deno.readDirSync(runs)].map(({ name }) => name).sort(),
      ["broken", "second"],
    );
    await assertRefused("runs", ["remove", "none"], /Cannot find run none/, {
      ...options,
    });
    await assertRefused("runs", ["compare", "second"], /see --help/, options);
  }));
