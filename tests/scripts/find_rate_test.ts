import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  assertRefused,
  runCommand,
  SMALL,
  withFolder,
} from "./_run_command.ts";

Deno.test("train --find-rate draws a curve and suggests a rate, and makes no run", () =>
  withFolder(async (folder) => {
    const options = { workingFolder: folder, folder };
    const { code, stdout } = await runCommand(
      "train",
      [...SMALL, "--find-rate"],
      options,
    );
    assertEquals(code, 0);
    assertMatch(
      stdout,
      /\nTry --learning-rate \d[\d.e-]*; the curve is in learning-rate\.png\n$/,
    );
    assertEquals(
      [...Deno.readDirSync(folder)].map(({ name }) => name),
      ["learning-rate.png"],
    );
    const json = await runCommand(
      "train",
      [...SMALL, "--find-rate=rates.png", "--json"],
      options,
    );
    const { picture, points, suggestion } = JSON.parse(json.stdout);
    assertEquals(picture, `${folder}/rates.png`);
    assert(points.length > 30 && suggestion > 0);
    await assertRefused(
      "train",
      [...SMALL, "--find-rate=none/rates.png"],
      /^error: Cannot write .*none\/rates\.png: its folder does not exist/,
      options,
    );
  }));
