/**
 * What a person sees of runs, in a real browser: `browser_test.ts` starts it, in
 * a process with a lock file of its own.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodePng } from "../../src/image/encode_png.ts";
import {
  commandOf,
  Output,
  runCommand,
  SMALL,
} from "../scripts/_run_command.ts";
import { hindrances, type Page, withPage } from "./_playwright.ts";

/** Where screenshots are kept, if anybody wants to look. */
const SHOTS = Deno.env.get("GAPCAM_SCREENSHOTS");

/** How long something may take on a machine that does much else. */
const PATIENCE_MS = 40_000;

/** Waits until an expression is true: the page lets nobody but itself wait. */
async function until(page: Page, expression: string): Promise<void> {
  const start = performance.now();
  while (!await page.evaluate(expression).catch(() => false)) {
    if (performance.now() - start > PATIENCE_MS) {
      throw new Error(`the page never had ${expression}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A server of runs that can be stopped. */
class Server {
  readonly #child: Deno.ChildProcess;
  readonly #output: Output;
  readonly url: string;

  private constructor(child: Deno.ChildProcess, output: Output, url: string) {
    this.#child = child;
    this.#output = output;
    this.url = url;
  }

  static async start(runs: string, port = 0): Promise<Server> {
    const child = commandOf("watch", [runs, `--port=${port}`]).spawn();
    const output = new Output(child.stdout);
    await output.until(/Ctrl-C ends it/);
    const [url] = /http:\/\/\S+/.exec(output.text)!;
    return new Server(child, output, url);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.#output.end();
    await this.#child.stderr.cancel();
  }
}

/** A page that shows runs; nothing may go wrong in it. */
async function watching(
  test: (parts: { page: Page; runs: string; server: Server }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const runs = `${folder}/runs`;
  await Deno.mkdir(runs);
  const server = await Server.start(runs);
  const wrong: string[] = [];
  try {
    await withPage(async (page) => {
      page.on("pageerror", (error) => wrong.push(error.message));
      page.on("console", (message) => {
        // A server that is stopped on purpose cannot be reached.
        const text = message.text();
        if (message.type() === "error" && !/ERR_|404|422/.test(text)) {
          wrong.push(text);
        }
      });
      page.on("request", (request) => {
        if (
          !request.url().startsWith(server.url) && !/^data:/.test(request.url())
        ) {
          wrong.push(`asked for ${request.url()}`);
        }
      });
      await page.goto(server.url);
      await test({ page, runs, server });
    });
    assertEquals(wrong, []);
  } finally {
    await server.stop().catch(() => {});
    await Deno.remove(folder, { recursive: true });
  }
}

async function train(run: string, ...flags: string[]): Promise<number> {
  const { code } = await runCommand("train", [
    ...SMALL,
    "--threads=1",
    ...flags,
    `--out=${run}`,
  ]);
  return code;
}

/** Looks at a run that has trained three epochs, and lets it end; it does not outlive the test. */
async function whileTraining(
  run: string,
  flags: string[],
  look: (training: Deno.ChildProcess) => Promise<void>,
): Promise<number> {
  const training = commandOf("train", [
    ...SMALL,
    "--threads=1",
    ...flags,
    `--out=${run}`,
  ]).spawn();
  const output = new Output(training.stdout);
  try {
    await output.until(/epoch 3:/);
    await look(training);
  } catch (error) {
    training.kill("SIGKILL");
    throw error;
  } finally {
    await output.end();
    await training.stderr.cancel();
  }
  return (await training.status).code;
}

/** Waits until the page says how a run stands. */
async function stands(page: Page, id: string, state: string): Promise<void> {
  await until(
    page,
    `document.getElementById("run-title").textContent.trim() === ` +
      JSON.stringify(`${id} ${state}`),
  );
}

interface Chart {
  names: string[];
  data: (number | null)[][];
}

async function chart(page: Page, id: string): Promise<Chart> {
  return await page.evaluate(`gapcam.chart(${JSON.stringify(id)})`);
}

/** The points of a line, without the places that only others have. */
function line({ names, data }: Chart, name: string): [number, number][] {
  const values = data[names.indexOf(name) + 1]!;
  return data[0]!.flatMap((x, i): [number, number][] =>
    values[i] === null || values[i] === undefined ? [] : [[x!, values[i]]]
  );
}

interface Logged {
  event: string;
  totalSteps: number;
  stepsPerEpoch: number;
  step: number;
  loss: number;
  accuracy: number;
}

async function logged(run: string, event: string): Promise<Logged[]> {
  return (await Deno.readTextFile(`${run}/log.jsonl`)).trim().split("\n")
    .map((text) => JSON.parse(text) as Logged)
    .filter((one) => one.event === event);
}

async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS) {
    await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
  }
}

Deno.test("a run is watched from before it begins to its end; its curves have the log's numbers", () =>
  watching(async ({ page, runs }) => {
    await until(
      page,
      '/No runs yet/.test(document.getElementById("empty").textContent)',
    );
    const code = await whileTraining(
      `${runs}/first`,
      ["--epochs=40", "--validation-fraction=0.25", "--log-every=1"],
      async (training) => {
        // It waits to be seen: forty such epochs may be over before a busy machine has drawn one.
        training.kill("SIGSTOP");
        await stands(page, "first", "training");
        await until(
          page,
          '/Time left/.test(document.getElementById("run-tiles").textContent)',
        );
        training.kill("SIGCONT");
      },
    );
    assertEquals(code, 0);
    await stands(page, "first", "finished");
    await until(
      page,
      '/Test accuracy/.test(document.getElementById("run-tiles").textContent)',
    );
    for (
      const [id, value] of [["loss", "loss"], ["accuracy", "accuracy"]] as const
    ) {
      const shown = await chart(page, id);
      assertEquals(
        line(shown, "training"),
        (await logged(`${runs}/first`, "interval")).map((one) => [
          one.totalSteps / one.stepsPerEpoch,
          one[value],
        ]),
      );
      const perEpoch =
        (await logged(`${runs}/first`, "epoch"))[0]!.stepsPerEpoch;
      assertEquals(
        line(shown, "validation"),
        (await logged(`${runs}/first`, "validation")).map((one) => [
          one.step / perEpoch,
          one[value],
        ]),
      );
    }
    // The film, by keys.
    await until(
      page,
      'document.querySelectorAll("#film-images figure").length === 8 && ' +
        'document.getElementById("film-at").value === "epoch 40"',
    );
    const pixels = () =>
      page.evaluate<string>(
        '[...document.querySelectorAll("#film-images canvas")]' +
          ".map((canvas) => canvas.toDataURL()).join()",
      );
    const last = await pixels();
    await page.focus("#film-epoch");
    await page.keyboard.press("Home");
    assertEquals(
      await page.evaluate('document.getElementById("film-at").value'),
      "before training",
    );
    assert(await pixels() !== last);
    await page.keyboard.press("ArrowRight");
    assertEquals(
      await page.evaluate(
        'document.getElementById("film-epoch").getAttribute("aria-valuetext")',
      ),
      "epoch 1",
    );
    // The matrix, by keys: to a cell that holds something, and into it.
    await page.focus('#matrix [data-cell="0,0"]');
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    assertEquals(
      await page.evaluate("document.activeElement.dataset.cell"),
      "1,1",
    );
    const count = Number(
      await page.evaluate(
        `(() => {
          const cell = [...document.querySelectorAll("#matrix [data-cell]")]
            .find((button) => button.textContent !== "·");
          cell.focus();
          return cell.textContent;
        })()`,
      ),
    );
    await page.keyboard.press("Enter");
    await until(
      page,
      'document.querySelectorAll("#cell-images img").length > 0',
    );
    assertMatch(
      (await page.textContent("#cell-hint"))!,
      new RegExp(
        `^${count} images?, the worst first\\. By the network of first/best`,
      ),
    );
    await shot(page, "light");
    assertEquals(await hindrances(page), []);
    await page.emulateMedia({ colorScheme: "dark" });
    await shot(page, "dark");
    assertEquals(await hindrances(page), []);
    await page.setViewportSize({ width: 360, height: 740 });
    await until(page, "document.documentElement.scrollWidth <= 360");
    await shot(page, "narrow");
  }));

Deno.test("a photograph that is dropped has the map, byte for byte, that cam writes", () =>
  watching(async ({ page, runs, server }) => {
    await train(`${runs}/run`, "--epochs=1");
    const path = `${runs}/../a photograph.png`;
    const data = Uint8Array.from({ length: 60 * 40 * 3 }, (_, i) => i * i);
    await Deno.writeFile(
      path,
      encodePng({ width: 60, height: 40, channels: 3, data }),
    );
    await runCommand("cam", [
      `--checkpoint=${runs}/run`,
      "--device=cpu",
      "--threads=1",
      `--out=${runs}/../cam`,
      "--image",
      path,
    ]);
    await stands(page, "run", "finished");
    await until(page, '!document.getElementById("photograph").hidden');
    const drop = (name: string, base64: string) =>
      page.evaluate(`(() => {
        const bytes = Uint8Array.from(atob(${JSON.stringify(base64)}),
          (character) => character.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], ${JSON.stringify(name)}));
        document.body.dispatchEvent(
          new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      })()`);
    await drop("a photograph.png", (await Deno.readFile(path)).toBase64());
    await until(
      page,
      'document.getElementById("photograph-map").naturalWidth > 0',
    );
    const source = await page.evaluate<string>(
      'document.getElementById("photograph-map").src',
    );
    assertEquals(
      Uint8Array.fromBase64(source.slice(source.indexOf(",") + 1)),
      await Deno.readFile(`${runs}/../cam/a photograph-cam.png`),
    );
    await drop("notes.txt", btoa("no picture at all"));
    await until(
      page,
      "/^Cannot .*notes\\.txt/.test(" +
        'document.getElementById("photograph-says").textContent)',
    );
    // A report holds the same curves, and asks for nothing.
    const live = await chart(page, "loss");
    await server.stop();
    await runCommand("report", [
      `${runs}/run`,
      `--out=${runs}/../report.html`,
      "--device=cpu",
    ]);
    await withPage(async (report) => {
      const wrong: string[] = [];
      report.on("pageerror", (error) => wrong.push(error.message));
      report.on("console", (message) => {
        if (message.type() === "error") wrong.push(message.text());
      });
      report.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) wrong.push(request.url());
      });
      await report.goto(
        `file://${await Deno.realPath(`${runs}/../report.html`)}`,
      );
      await stands(report, "run", "finished");
      assertEquals(await chart(report, "loss"), live);
      await until(
        report,
        'document.querySelectorAll("#film-images figure").length === 8 && ' +
          'document.querySelectorAll("#worst-images img").length > 0',
      );
      await shot(report, "report");
      assertEquals(wrong, []);
    });
  }));

Deno.test("a log and a film that anybody may have written are shown as text", () =>
  watching(async ({ page, runs }) => {
    const odd = '<img src=x onerror="document.title=1">';
    const run = `${runs}/${odd.replaceAll("/", "")}`;
    await Deno.mkdir(run);
    const common = { time: "never", epoch: 1, step: 1 };
    const lines = [
      {
        event: "start",
        ...common,
        version: 2,
        model: odd,
        dataset: { name: odd },
        images: 1,
        config: { epochs: odd, batchSize: [odd] },
        device: odd,
        stepsPerEpoch: 1,
        machine: null,
        command: [odd, 1],
      },
      {
        event: "validation",
        ...common,
        ...{ images: 3, loss: null, accuracy: 1, top5: 1, best: true },
        seconds: 1,
        classes: [odd, `${odd}2`],
        confusion: [[1, 1], [0, 1]],
      },
      { event: "divergence", time: odd, message: odd },
    ];
    await Deno.writeTextFile(
      `${run}/log.jsonl`,
      lines.map((one) => `${JSON.stringify(one)}\n`).join(""),
    );
    const map = {
      ...{ classIndex: 0, probability: 1, logit: 1, height: 9, width: 9 },
      ...{ from: 0, to: 1, levels: "AA==" },
    };
    await Deno.writeTextFile(
      `${run}/film.jsonl`,
      [
        {
          ...{ film: 1, dataset: odd, split: odd, classes: [odd] },
          images: [{ index: 0, label: 0, picture: "bm9uZQ==" }],
        },
        { epoch: 0, step: 0, images: [{ label: map, answer: map }] },
      ].map((one) => `${JSON.stringify(one)}\n`).join(""),
    );
    await stands(page, odd, "diverged");
    assertEquals(await page.textContent("#run-problem"), odd);
    assertEquals(
      await page.evaluate(
        'document.querySelectorAll("main img[src=x]").length',
      ),
      0,
    );
    assertMatch((await page.textContent("#matrix"))!, /<img src=x/);
    await until(page, 'document.getElementById("film").hidden');
  }));

Deno.test("runs that diverged, were killed and went on, or are gone; one laid over another; a server that begins again", () =>
  watching(async ({ page, runs, server }) => {
    const code = await train(
      `${runs}/wild`,
      "--epochs=3",
      "--optimizer=sgd",
      "--learning-rate=1e9",
    );
    assertEquals(code, 1);
    await stands(page, "wild", "diverged");
    assertMatch((await page.textContent("#run-problem"))!, /loss/);
    // Killed while it trains, then resumed.
    await whileTraining(
      `${runs}/cut`,
      ["--epochs=100000"],
      async (training) => {
        // What is looked at is not drawn again because another run goes on. What came
        // of its own end may still be drawn at first.
        let drawn = Infinity;
        for (let look = 0; look < 4 && drawn > 0; look++) {
          drawn = await page.evaluate<number>(`new Promise((resolve) => {
        let drawn = 0;
        const observer = new MutationObserver((all) => drawn += all.length);
        for (const id of ["charts", "run-tiles", "run-title"]) {
          observer.observe(document.getElementById(id),
            { subtree: true, childList: true, attributes: true });
        }
        setTimeout(() => resolve(drawn), 2500);
      })`);
        }
        assertEquals(drawn, 0);
        await page.click('#runs-list [data-key="name cut"]');
        await stands(page, "cut", "training");
        training.kill("SIGKILL");
      },
    );
    await stands(page, "cut", "cut off");
    const done = (await logged(`${runs}/cut`, "epoch")).length;
    const resumed = await runCommand("train", [
      `--resume=${runs}/cut`,
      `--epochs=${done + 1}`,
      "--device=cpu",
      "--threads=1",
    ]);
    assertEquals(resumed.code, 0, resumed.stderr);
    await stands(page, "cut", "finished");
    // Each step once, though the log may have some twice.
    const shown = line(await chart(page, "loss"), "training");
    const steps = shown.map(([x]) => x);
    assertEquals(steps, [...new Set(steps)].sort((a, b) => a - b));
    const newest = new Map(
      (await logged(`${runs}/cut`, "interval")).map((one) => [
        one.totalSteps / one.stepsPerEpoch,
        one.loss,
      ]),
    );
    for (const [x, loss] of shown) assertEquals(newest.get(x), loss);
    // Another one over it; a reload shows the same.
    await page.check('#runs-list [data-key="box wild"]');
    const both = ["cut, training", "wild, training"];
    assertEquals((await chart(page, "loss")).names, both);
    await page.reload();
    await until(page, 'globalThis.gapcam?.chart("loss")?.names.length === 2');
    assertEquals((await chart(page, "loss")).names, both);
    // The server ends, things happen, another one begins.
    const port = Number(new URL(server.url).port);
    await server.stop();
    await until(
      page,
      '/does not answer/.test(document.getElementById("connection").textContent)',
    );
    await Deno.remove(`${runs}/wild`, { recursive: true });
    await train(`${runs}/later`, "--epochs=1");
    const again = await Server.start(runs, port);
    try {
      await until(
        page,
        '[...document.querySelectorAll("#runs-list button")]' +
          '.some((button) => button.textContent === "later")',
      );
      assertEquals(await page.textContent("#connection"), "live");
      await until(
        page,
        '/its folder is gone/.test(document.getElementById("runs-list").textContent)',
      );
      await shot(page, "several");
    } finally {
      await again.stop();
    }
  }));
