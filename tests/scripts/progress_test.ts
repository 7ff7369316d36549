import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { GapcamError } from "../../mod.ts";
import { formatProgress, formatSeconds } from "../../scripts/_progress.ts";
import { parseClass, parseIndices } from "../../scripts/_indices.ts";
import { SMALL, withFolder } from "./_run_command.ts";

Deno.test("formatProgress() fills the bar by its share", () => {
  const state = { label: "epoch 1/4", share: 0.5, notes: ["loss 1.000"] };
  const line = formatProgress(state, 80);
  assertEquals(
    line,
    `epoch 1/4  50 % ${"█".repeat(12)}${" ".repeat(12)}  loss 1.000`,
  );
  assertMatch(formatProgress({ ...state, share: 2 }, 80), /100 % █{24} /);
  assertMatch(formatProgress({ ...state, share: -1 }, 80), / {2}0 % {26}/);
});

Deno.test("formatProgress() never fills a terminal's line, and leaves out what does not fit", () => {
  const state = {
    label: "epoch 10/100",
    share: 0.33,
    notes: ["loss 0.432", "1234 images/s", "1:02:03 left"],
  };
  for (let columns = 0; columns < 120; columns++) {
    const line = formatProgress(state, columns);
    assert(line.length < Math.max(1, columns), `${columns}: ${line}`);
  }
  assert(formatProgress(state, 60).includes("loss"));
  assert(!formatProgress(state, 60).includes("left"));
});

Deno.test("formatSeconds() writes minutes, hours and what is not known", () => {
  assertEquals(
    [0, 59.6, 3723, NaN].map(formatSeconds),
    ["0:00", "1:00", "1:02:03", "?"],
  );
});

Deno.test("parseIndices() reads numbers, ranges and lists", () => {
  assertEquals(parseIndices("3", 10), [3]);
  assertEquals(parseIndices("0-2, 9", 10), [0, 1, 2, 9]);
  for (const text of ["", "x", "3-1", "1,,2", "-1", "1.5"]) {
    assertThrows(() => parseIndices(text, 10), GapcamError, "expected a list");
  }
  assertThrows(
    () => parseIndices("3-10", 10),
    GapcamError,
    "Cannot show image 10: the images are numbered 0 to 9",
  );
});

Deno.test("parseClass() reads names in any case and numbers", () => {
  const classes = ["T-shirt/top", "bag", "7"];
  assertEquals(parseClass("bag", classes), 1);
  assertEquals(parseClass("t-shirt/TOP", classes), 0);
  assertEquals(parseClass("0", classes), 0);
  assertEquals(parseClass("7", classes), 2);
  for (const text of ["3", "hat", "-1"]) {
    assertThrows(
      () => parseClass(text, classes),
      GapcamError,
      "expected one of T-shirt/top, bag, 7",
    );
  }
});

const hasScript = await new Deno.Command("script", { args: ["--version"] })
  .output().then(({ code }) => code === 0, () => false);

Deno.test({
  name: hasScript
    ? "train draws a bar with loss, speed and time left on a terminal"
    : "train draws a bar on a terminal (skipped: the command script is missing)",
  ignore: !hasScript,
  fn: () =>
    withFolder(async (folder) => {
      const args = [...SMALL, "--epochs=3", `--out=${folder}/run`];
      // script(1) runs a command on a pseudo-terminal.
      const command = [
        Deno.execPath(),
        "run -A --quiet",
        new URL("../../scripts/train.ts", import.meta.url).pathname,
        ...args,
      ].join(" ");
      const { stdout } = await new Deno.Command("script", {
        args: ["-qec", command, "/dev/null"],
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stdout);
      assertMatch(
        text,
        // deno-lint-ignore no-control-regex
        /\r\x1b\[Kepoch 1\/3 +\d+ % [█▏▎▍▌▋▊▉ ]+ loss \d\.\d{3} {2}\d+ images\/s/,
      );
      assertEquals(text.includes("[1, 2] loss"), false);
      assert(text.includes("Confusion matrix"));
    }),
});
