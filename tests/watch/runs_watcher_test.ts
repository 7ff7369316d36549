import { assert, assertEquals, assertMatch } from "@std/assert";
import { evaluationOf } from "../../src/train/evaluation.ts";
import { RunsWatcher } from "../../src/watch/runs_watcher.ts";
import {
  begins,
  epoch,
  interval,
  line,
  log,
  validation,
  withRuns,
} from "./_logs.ts";

async function watched(runs: string): Promise<RunsWatcher> {
  const watcher = new RunsWatcher(runs);
  await watcher.read();
  return watcher;
}

Deno.test("RunsWatcher has the numbers of a log, and how far a run is", () =>
  withRuns(async (runs) => {
    await log(
      runs,
      "a",
      begins(0),
      interval(2, 5, 3),
      interval(4, 10, 2),
      epoch(4, 1, 2.5),
      validation(5, 1),
    );
    const run = (await watched(runs)).run("a")!.data();
    assertEquals(run.series.loss, {
      steps: [5, 10],
      seconds: [2, 4],
      values: [3, 2],
    });
    assertEquals(run.series.epochLoss.values, [2.5]);
    assertEquals(run.series.validationLoss.steps, [10]);
    assertEquals(run.matrix, {
      split: "validation",
      classes: ["cat", "dog"],
      confusion: [[1, 1], [1, 1]],
      epoch: 1,
    });
    // 300 images at 20 a second are left.
    assertEquals(run.progress, {
      step: 10,
      totalSteps: 40,
      epoch: 1,
      epochs: 4,
      imagesPerSecond: 20,
      secondsLeft: 15,
    });
    assertEquals([run.state, run.best?.epoch], ["cut", 1]);
  }));

Deno.test("RunsWatcher reads what is added, once lines are whole", () =>
  withRuns(async (runs) => {
    const [head, tail] = [
      interval(2, 5, 3).slice(0, 40),
      interval(2, 5, 3).slice(40),
    ];
    await log(runs, "a", begins(0), head);
    const watcher = await watched(runs);
    const heard = watcher.sequence;
    assertEquals(watcher.run("a")!.data().series.loss.values, []);
    await watcher.read();
    assertEquals(watcher.since(heard).changed, []);
    await log(runs, "a", tail, '{"event":"a later one","time":"t"}\n');
    await watcher.read();
    assertEquals(watcher.since(heard).changed.map(({ id }) => id), ["a"]);
    assertEquals(watcher.run("a")!.data().series.loss.values, [3]);
  }));

Deno.test("RunsWatcher looks at a run that rests once anything of it is written", () =>
  withRuns(async (runs) => {
    await log(runs, "a", begins(0), interval(2, 5, 3));
    const folder = `${runs}/a`;
    const rest = async () => {
      const before = new Date(Date.now() - 60_000);
      for (const path of [`${folder}/log.jsonl`, folder]) {
        await Deno.utime(path, before, before);
      }
    };
    await rest();
    const watcher = await watched(runs);
    const values = () => watcher.run("a")!.data().series.loss.values;
    assertEquals(values(), [3]);
    const heard = watcher.sequence;
    await watcher.read();
    await watcher.read();
    assertEquals(watcher.since(heard).changed, []);
    await log(runs, "a", interval(4, 10, 2));
    await watcher.read();
    assertEquals(values(), [3, 2]);
    await rest();
    await watcher.read();
    await Deno.writeTextFile(`${folder}/name.txt`, "the good one\n");
    await watcher.read();
    assertEquals(watcher.run("a")!.line().name, "the good one");
    await rest();
    await watcher.read();
    await Deno.remove(folder, { recursive: true });
    await Deno.symlink("/", folder);
    await watcher.read();
    assertEquals(watcher.run("a"), undefined);
  }));

Deno.test("RunsWatcher shows a run that was killed and went on once", () =>
  withRuns(async (runs) => {
    await log(
      runs,
      "a",
      begins(0),
      interval(2, 5, 3),
      epoch(4, 1, 3),
      interval(6, 15, 9),
      interval(8, 19, 9),
      // Killed; an hour later it goes on from the checkpoint of epoch 1.
      begins(3600, 10),
      interval(3602, 15, 2),
      epoch(3604, 2, 2),
      line(3604, { event: "stop", reason: "interrupted", epoch: 2, step: 20 }),
    );
    const run = (await watched(runs)).run("a")!.data();
    assertEquals(run.series.loss.steps, [5, 15]);
    assertEquals(run.series.loss.values, [3, 2]);
    // The hour was not spent on training.
    assertEquals(run.series.loss.seconds, [2, 10]);
    assertEquals(run.starts.map(({ step }) => step), [0, 10]);
    assertEquals([run.state, run.progress?.step], ["interrupted", 20]);
  }));

Deno.test("RunsWatcher has no matrix of images of several classes, but how well each is told", () =>
  withRuns(async (runs) => {
    const judged = evaluationOf([[1, 1], [0, 2]], {
      classes: ["cat", "dog"],
      dataset: "pets",
      split: "test",
      loss: 1,
    });
    await log(
      runs,
      "a",
      begins(0),
      line(1, {
        event: "evaluation",
        ...judged,
        meanAveragePrecision: 0.5,
        classes: judged.classes.map((one) => ({
          ...one,
          averagePrecision: 0.5,
        })),
        confusion: [],
        confused: [],
      }),
    );
    const run = (await watched(runs)).run("a")!.data();
    assertEquals(run.matrix, undefined);
    assertEquals(run.evaluation?.classes.map(({ name }) => name), [
      "cat",
      "dog",
    ]);
  }));

Deno.test("RunsWatcher tells of a run that diverged", () =>
  withRuns(async (runs) => {
    await log(
      runs,
      "a",
      begins(0),
      interval(1, 5, NaN),
      line(2, { event: "divergence", message: "Cannot go on: loss" }),
    );
    const run = (await watched(runs)).run("a")!.data();
    assertEquals([run.state, run.divergence], [
      "diverged",
      "Cannot go on: loss",
    ]);
    assertEquals(run.series.loss.values, []);
  }));

Deno.test("RunsWatcher says why a damaged log or one of a later version ends", () =>
  withRuns(async (runs) => {
    await log(
      runs,
      "damaged",
      begins(0),
      interval(1, 5, 3),
      "nonsense\n",
      interval(2, 6, 2),
    );
    await log(runs, "later", begins(0, 0, { version: 3 }), interval(1, 5, 3));
    const watcher = await watched(runs);
    const damaged = watcher.run("damaged")!.data();
    assertEquals(damaged.series.loss.values, [3]);
    assertMatch(damaged.problem!, /damaged\/log\.jsonl: line 3 is not JSON$/);
    assertMatch(
      watcher.run("later")!.data().problem!,
      /has version 3, expected/,
    );
    // A log that takes its place is read.
    await Deno.remove(`${runs}/damaged/log.jsonl`);
    await log(runs, "damaged", begins(0), interval(1, 5, 4));
    await watcher.read();
    assertEquals(watcher.run("damaged")!.data().problem, undefined);
    assertEquals(watcher.run("damaged")!.data().series.loss.values, [4]);
  }));

Deno.test("RunsWatcher tells that a run's folder is gone, and that it is back", () =>
  withRuns(async (runs) => {
    await log(runs, "a", begins(0));
    await log(runs, "b", begins(0));
    const watcher = await watched(runs);
    const heard = watcher.sequence;
    await Deno.remove(`${runs}/a`, { recursive: true });
    await watcher.read();
    assertEquals(watcher.since(heard).gone, ["a"]);
    assertEquals(watcher.run("a"), undefined);
    await log(runs, "a", begins(0));
    await watcher.read();
    assertEquals(watcher.since(heard).gone, []);
    await Deno.remove(runs, { recursive: true });
    await watcher.read();
    assertEquals(watcher.since(heard).gone.sort(), ["a", "b"]);
  }));

Deno.test("RunsWatcher reads nothing that a link leads out of the folder to", () =>
  withRuns(async (runs) => {
    const outside = runs.replace(/runs$/, "outside");
    await log(outside, "secret", begins(0));
    await log(runs, "inside", begins(0));
    await Deno.symlink(`${outside}/secret`, `${runs}/folder`);
    await Deno.symlink(`${runs}/inside`, `${runs}/beside`);
    await Deno.mkdir(`${runs}/file`);
    await Deno.symlink(`${outside}/secret/log.jsonl`, `${runs}/file/log.jsonl`);
    await log(runs, "film", begins(0));
    await Deno.symlink(
      `${outside}/secret/log.jsonl`,
      `${runs}/film/film.jsonl`,
    );
    const watcher = await watched(runs);
    assertEquals(
      watcher.since(0).changed.map(({ id }) => id).sort(),
      ["beside", "inside"],
    );
    // The folder of runs itself may be one.
    await Deno.symlink(runs, `${outside}/linked`);
    assert((await watched(`${outside}/linked`)).run("inside"));
  }));

Deno.test("RunsWatcher loads a log of a hundred thousand lines and thins it", () =>
  withRuns(async (runs) => {
    const lines = Array.from(
      { length: 100_000 },
      (_, i) => interval(i, i + 1, i === 31_415 ? 9 : 1 / (i + 1)),
    );
    await log(runs, "a", begins(0), ...lines);
    const start = performance.now();
    const watcher = await watched(runs);
    // A tenth of a second on a machine that does nothing else.
    assert(performance.now() - start < 20_000);
    const { loss } = watcher.run("a")!.data().series;
    assert(loss.steps.length <= 2002);
    assertEquals(loss.values[loss.steps.indexOf(31_416)], 9);
    assertEquals(loss.steps.at(-1), 100_000);
  }));
