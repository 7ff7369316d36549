import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  assertRefused,
  runCommand,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

Deno.test("exam prints a table of all methods, and writes a page that holds all it shows", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("exam", [
      "--checkpoint=run",
      "--images=6",
      "--steps=4",
      "--html=page.html",
      "--device=cpu",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^Checkpoint: run\/checkpoint.safetensors/);
    assertMatch(stdout, /Exam on 6 images of shapes \(test split\)/);
    assertMatch(stdout, /\nmethod +pointing ↑ +inside ↑ +box IoU ↑ .*ROAD ↑/);
    for (const name of ["cam", "grad-cam", "random", "centre", "edges"]) {
      assertMatch(stdout, new RegExp(`\n${name} +\\d`));
    }
    assertMatch(stdout, /\nedges .*!1\.00/);
    assertMatch(stdout, /\npage\.html\n$/);
    const page = await Deno.readTextFile(`${folder}/page.html`);
    assert(!/(src|href)="(?!data:)/.test(page), "the page loads something");
    assertMatch(page, /<polyline class="curve insertion"/);
    assertMatch(page, /does not change/);
    assertMatch(page, /Evidence for disc/);
    assert(!/NaN|undefined/.test(page.replace(/base64,[^"]*/g, "")));
  }));

Deno.test("exam --mosaics --json says in which quarter maps point", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const { code, stdout, stderr } = await runCommand("exam", [
      "--checkpoint=run",
      "--mosaics",
      "--images=3",
      "--methods=cam,centre",
      "--measures=pointing",
      "--device=cpu",
      "--json",
    ], { folder });
    assertEquals([code, stderr], [0, ""]);
    const exam = JSON.parse(stdout);
    assertEquals(exam.dataset, "mosaics of shapes");
    assertEquals([exam.images, exam.boxes], [3, 12]);
    assertEquals(
      exam.methods.map(({ method }: { method: string }) => method),
      ["cam", "centre"],
    );
    for (const { scores } of exam.methods) {
      assertEquals(Object.keys(scores).sort(), ["inside", "pointing", "which"]);
      assertEquals(scores.pointing.count, 12);
    }
  }));

Deno.test("exam refuses what it cannot do in one sentence, before it begins", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    const refused = (sentence: RegExp, ...flags: string[]) =>
      assertRefused(
        "exam",
        ["--checkpoint=run", "--device=cpu", ...flags],
        sentence,
        { folder },
      );
    await refused(
      /Cannot examine 1001 images of shapes \(test\): it has 1000/,
      "--images=1001",
    );
    await refused(
      /Cannot make 251 mosaics of shapes \(test\): its 1000 images make 250/,
      "--images=251",
      "--mosaics",
    );
    await refused(/the nearest are grad-cam/, "--methods=cam,gradcam");
    await refused(
      /Cannot measure "roed": expected one of road/,
      "--measures=roed",
    );
    await refused(/Cannot read methods "cam,,random"/, "--methods=cam,,random");
    await refused(/expected --mosaics beside --recognised/, "--recognised");
    await refused(
      /expected --mosaics --recognised beside --confidence/,
      "--confidence=0.9",
      "--mosaics",
    );
    await refused(
      /Cannot write \S*nowhere\/page.html: its folder does not exist/,
      "--html=nowhere/page.html",
    );
    await refused(
      /Cannot write run\/checkpoint.safetensors: it is the file that is read/,
      "--html=run/checkpoint.safetensors",
    );
    await refused(/the nearest are/, "--methods=grad-cam", "--layer=layer4");
  }));
