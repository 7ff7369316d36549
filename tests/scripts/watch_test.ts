import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodePng } from "../../mod.ts";
import {
  assertRefused,
  commandOf,
  Output,
  runCommand,
  SMALL,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

/** A command that serves a page, and where. */
async function serving(
  name: string,
  args: readonly string[],
  test: (url: string, output: Output) => Promise<void>,
): Promise<number> {
  const child = commandOf(name, args).spawn();
  const output = new Output(child.stdout);
  const errors = child.stderr.text();
  try {
    await output.until(/http:\/\/\S+/).catch(async (error) => {
      throw new Error(`${error.message} ${await errors}`);
    });
    await test(/http:\/\/[^\s#]+/.exec(output.text)![0], output);
  } finally {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
  }
  const { code } = await child.status;
  await output.end();
  await errors;
  return code;
}

Deno.test("watch serves runs and maps with the bytes that cam writes", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder, "--validation-fraction=0.25");
    assert((await Deno.stat(`${run}/film.jsonl`)).isFile);
    const photograph = `${folder}/my photograph.png`;
    const data = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => i * 7);
    await Deno.writeFile(
      photograph,
      encodePng({ width: 40, height: 30, channels: 3, data }),
    );
    await runCommand("cam", [
      `--checkpoint=${run}`,
      "--last",
      "--device=cpu",
      "--threads=1",
      "--fit=pad",
      "--class=star",
      `--out=${folder}/cam`,
      "--image",
      photograph,
    ]);
    const code = await serving("watch", [run, "--port=0"], async (url) => {
      const { runs } = await (await fetch(`${url}api/runs`)).json();
      assertEquals(
        runs.map(({ id, state }: Record<string, string>) => [id, state]),
        [["run", "finished"]],
      );
      const answer = await (await fetch(
        `${url}api/runs/run/photograph?name=my%20photograph.png&fit=pad&class=star`,
        { method: "POST", body: await Deno.readFile(photograph) },
      )).json();
      assertEquals(
        Uint8Array.fromBase64(answer.png),
        await Deno.readFile(`${folder}/cam/my photograph-cam-star-pad.png`),
      );
      assertMatch(answer.checkpoint, /^By the network of run\/checkpoint/);
      const text = await fetch(`${url}api/runs/run/photograph?name=x.txt`, {
        method: "POST",
        body: "no picture",
      });
      assertEquals(text.status, 422);
      assertMatch((await text.json()).error, /^Cannot \w+ .*x\.txt/);
      const { matrix } = await (await fetch(`${url}api/runs/run`)).json();
      assertEquals(matrix.split, "test");
      let images = 0;
      for (const [label, row] of matrix.confusion.entries()) {
        const predicted = row.findIndex((count: number) => count > 0);
        if (predicted < 0 || images > 0) continue;
        const cell = await (await fetch(
          `${url}api/runs/run/cell?split=test&network=best&label=${label}` +
            `&predicted=${predicted}&count=2`,
        )).json();
        assertEquals(cell.images, row[predicted]);
        assertEquals(cell.shown.length, Math.min(2, cell.images));
        images += cell.shown.length;
      }
      assert(images > 0);
    });
    assertEquals(code, 143);
  }));

Deno.test("train --watch serves the page of its run while it trains", () =>
  withFolder(async (folder) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    await serving("train", [
      ...SMALL,
      "--epochs=1000",
      `--watch=${port}`,
      `--out=${folder}/runs/mine`,
    ], async (url, output) => {
      assertMatch(output.text, new RegExp(`#mine \\(port ${port} is taken`));
      await output.until(/epoch 1:/);
      const { runs } = await (await fetch(`${url}api/runs`)).json();
      assertEquals(runs[0].state, "running");
      assertEquals(runs[0].progress.epochs, 1000);
      const path = `${url}api/runs/mine/film`;
      const { kept, film } = await (await fetch(path)).json();
      assertEquals([kept, film.images.length], [0, 8]);
      const epoch = film.frames[1].epoch;
      const news = await (await fetch(`${path}?frames=2&epoch=${epoch}`))
        .json();
      assertEquals([news.kept, news.film.images], [2, undefined]);
      const other = await (await fetch(`${path}?frames=2&epoch=77`)).json();
      assertEquals(other.kept, 0);
    });
  }));

Deno.test("train --no-film keeps none, and the same checkpoint", () =>
  withFolder(async (folder) => {
    const filmed = await trainSmall(`${folder}/filmed`, "--threads=1");
    const plain = await trainSmall(
      `${folder}/plain`,
      "--threads=1",
      "--no-film",
    );
    assertEquals(
      [...Deno.readDirSync(plain)].map(({ name }) => name).sort(),
      ["checkpoint.safetensors", "log.jsonl"],
    );
    assertEquals(
      await Deno.readFile(`${filmed}/checkpoint.safetensors`),
      await Deno.readFile(`${plain}/checkpoint.safetensors`),
    );
    const removed = await runCommand("runs", ["remove", filmed]);
    assertEquals(removed.stdout, `Removed ${filmed}\n`);
  }));

Deno.test("watch for others has a token in its address", async () => {
  await withFolder(async (folder) => {
    await serving(
      "watch",
      [folder, "--host=0.0.0.0", "--port=0"],
      async (url, output) => {
        assertMatch(url, /\/\?token=[\w-]{24}$/);
        await output.until(/Whoever has that address/);
        const other = url.replace(/0\.0\.0\.0/, "127.0.0.1").split("?")[0]!;
        const refused = await fetch(`${other}api/runs`);
        assertEquals(refused.status, 403);
        await refused.body!.cancel();
      },
    );
  });
});

Deno.test("report holds all of a run in one file that needs nothing else", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const out = `${folder}/report.html`;
    const { code, stdout, stderr } = await runCommand("report", [
      run,
      `--out=${out}`,
      "--device=cpu",
    ]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /report\.html \(\d\.\d\d MB\)\n$/);
    const html = await Deno.readTextFile(out);
    assert(html.length < 5e6);
    assertEquals(html.match(/<(link|img|script)[^>]+(src|href)=/), null);
    const json = /id="frozen">(.*?)<\/script>/s.exec(html)![1]!;
    const frozen = JSON.parse(json);
    assertEquals(frozen.run.evaluation.images, 20);
    assertEquals(frozen.film.frames.length, 2);
    assertEquals(frozen.worst.images.length > 0, true);
    assertEquals(frozen.run.starts[0].command[0], "--dataset=shapes");
    assertEquals(frozen.run.start.machine.deno, Deno.version.deno);
    assertMatch(frozen.sums["checkpoint.safetensors"], /^[0-9a-f]{64}$/);
    // Without its data, all else is told.
    const checkpoint = `${run}/checkpoint.safetensors`;
    await Deno.writeTextFile(checkpoint, "gone");
    const rest = await runCommand("report", [run, `--out=${out}`]);
    assertEquals(rest.code, 0);
    assertMatch(
      rest.stderr,
      /^note: its worst mistakes are left out: Cannot load/,
    );
    for (const name of ["log.jsonl", "film.jsonl", "checkpoint.safetensors"]) {
      await assertRefused(
        "report",
        [run, `--out=${run}/${name}`],
        /^error: Cannot write .*choose another name/,
      );
    }
    await assertRefused("report", [`${folder}/none`], /Cannot find run/);
  }));

Deno.test("watch refuses what it cannot serve", () =>
  withFolder(async (folder) => {
    await assertRefused("watch", [`${folder}/none`], /Cannot find run .*none/);
    await assertRefused("watch", ["a", "b"], /takes one folder of runs/);
    await assertRefused(
      "watch",
      [folder, "--host=no.such.name.invalid"],
      /Cannot serve runs at no\.such\.name\.invalid/,
    );
    await assertRefused(
      "train",
      [...SMALL, "--watch=soon", `--out=${folder}/run`],
      /Cannot serve the page at port "soon": expected a number/,
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  }));
