import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GapcamError, openRunFolder, trainingConfig } from "../../mod.ts";
import { evaluationOf } from "../../src/train/evaluation.ts";
import { compareRuns } from "../../src/train/compare_runs.ts";
import { findCheckpoint } from "../../src/train/find_checkpoint.ts";
import { removeRun } from "../../src/train/remove_run.ts";
import { runEvent, type RunEventContent } from "../../src/train/run_event.ts";
import { RunLog } from "../../src/train/run_log.ts";
import {
  findRun,
  nameRun,
  readRunName,
  runsIn,
} from "../../src/train/run_name.ts";
import { summariseRun } from "../../src/train/run_summary.ts";

const START: RunEventContent = {
  event: "start",
  version: 2,
  model: "tiny",
  dataset: { name: "shapes" },
  images: 40,
  config: trainingConfig({ epochs: 2 }),
  device: "cpu",
  precision: "f32",
  stepsPerEpoch: 4,
  step: 0,
};

function epoch(number: number, seconds: number): RunEventContent {
  return {
    event: "epoch",
    epoch: number,
    step: 4,
    stepsPerEpoch: 4,
    totalSteps: 4 * number,
    loss: 1 / number,
    accuracy: 0.25 * number,
    learningRate: 0.1,
    seconds,
  };
}

function evaluation(confusion: number[][]): RunEventContent {
  const options = { classes: ["cat", "dog"], dataset: "pets" };
  return {
    event: "evaluation",
    ...evaluationOf(confusion, { ...options, split: "test", loss: 0.5 }),
  };
}

const FINISHED: RunEventContent[] = [
  START,
  epoch(1, 10),
  epoch(2, 20),
  { event: "stop", reason: "finished", epoch: 2, step: 8 },
  evaluation([[2, 0], [1, 1]]),
];

/** Writes runs by the names of their folders. */
async function withRuns(
  runs: Record<string, RunEventContent[]>,
  test: (folder: string) => Promise<void> | void,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, events] of Object.entries(runs)) {
      await Deno.mkdir(`${folder}/${name}`);
      using log = new RunLog(`${folder}/${name}/log.jsonl`);
      for (const event of events) log.write(runEvent(event));
    }
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("summariseRun() says what a run came to", () =>
  withRuns({ first: FINISHED }, (runs) => {
    const summary = summariseRun(`${runs}/first`);
    assertEquals(
      [summary.id, summary.state, summary.epochs, summary.steps],
      ["first", "finished", 2, 8],
    );
    assertEquals(summary.secondsPerEpoch, 15);
    assertEquals(summary.training, { loss: 0.5, accuracy: 0.5 });
    assertEquals(summary.evaluation?.accuracy, 0.75);
    assertEquals(summary.start?.model, "tiny");
  }));

Deno.test("summariseRun() tells how runs ended, and which one trains", () =>
  withRuns({
    cut: [START, epoch(1, 10)],
    interrupted: [START, {
      event: "stop",
      reason: "interrupted",
      epoch: 0,
      step: 3,
    }],
    resumed: [...FINISHED, { ...START, event: "resume" } as RunEventContent],
    diverged: [START, { event: "divergence", message: "too large" }],
    running: [START],
  }, async (runs) => {
    await Deno.mkdir(`${runs}/unlogged`);
    await Deno.writeTextFile(`${runs}/unlogged/checkpoint.safetensors`, "");
    await Deno.mkdir(`${runs}/no run`);
    using _ = openRunFolder(`${runs}/running`, { resume: true });
    const states = runsIn(runs).map(summariseRun)
      .map(({ id, state }) => [id, state]);
    assertEquals(states, [
      ["cut", "cut"],
      ["diverged", "diverged"],
      ["interrupted", "interrupted"],
      ["resumed", "cut"],
      ["running", "running"],
      ["unlogged", "unlogged"],
    ]);
  }));

Deno.test("summariseRun() leaves the time of an epoch that was cut out of the mean", () =>
  withRuns({
    run: [
      START,
      epoch(1, 10),
      { ...START, event: "resume", step: 6 } as RunEventContent,
      epoch(2, 3),
    ],
  }, (runs) => {
    assertEquals(summariseRun(`${runs}/run`).secondsPerEpoch, 10);
  }));

Deno.test("compareRuns() says what differs and who is better where", () =>
  withRuns({
    first: FINISHED,
    second: [
      {
        ...START,
        config: trainingConfig({ epochs: 2, flip: true }),
      } as RunEventContent,
      epoch(1, 10),
      evaluation([[1, 1], [0, 2]]),
    ],
  }, (runs) => {
    const { settings, numbers } = compareRuns(
      summariseRun(`${runs}/first`),
      summariseRun(`${runs}/second`),
    );
    assertEquals(settings, [{ name: "config.flip", values: [false, true] }]);
    const row = (name: string) => numbers.find((one) => one.name === name);
    assertEquals(row("test accuracy")?.better, undefined);
    assertEquals(row("accuracy of cat")?.better, 0);
    assertEquals(row("accuracy of dog")?.better, 1);
    assertEquals(row("training loss")?.values, [0.5, 1]);
    assertEquals(row("training loss")?.better, 0);
    assertEquals(row("time of an epoch")?.better, 1);
  }));

Deno.test("nameRun() gives a name by which a run and its checkpoint are found", () =>
  withRuns({ first: FINISHED, second: FINISHED }, async (runs) => {
    await Deno.writeTextFile(`${runs}/first/checkpoint.safetensors`, "");
    await nameRun(`${runs}/first`, "best yet");
    assertEquals(readRunName(`${runs}/first`), "best yet");
    assertEquals(findRun("best yet", runs), `${runs}/first`);
    assertEquals(findRun(`${runs}/second/`, runs), `${runs}/second`);
    assertEquals(
      findCheckpoint("best yet", runs),
      `${runs}/first/checkpoint.safetensors`,
    );
    for (const taken of ["best yet", "first"]) {
      await assertRejects(
        () => nameRun(`${runs}/second`, taken),
        GapcamError,
        `Cannot name a run "${taken}": ${runs}/first is called so`,
      );
    }
    for (const name of ["", " a", "a/b", "a\nb", "x".repeat(61)]) {
      await assertRejects(
        () => nameRun(`${runs}/second`, name),
        GapcamError,
        "expected up to 60 characters that can be printed",
      );
    }
    await nameRun(`${runs}/first`, "other");
    assertThrows(
      () => findRun("best yet", runs),
      GapcamError,
      "Cannot find run best yet",
    );
  }));

Deno.test("removeRun() removes what gapcam wrote and nothing else, but no run that trains", () =>
  withRuns({ first: FINISHED, second: FINISHED }, async (runs) => {
    await nameRun(`${runs}/first`, "name");
    assertEquals(removeRun(`${runs}/first`), []);
    await Deno.writeTextFile(`${runs}/second/notes.md`, "mine");
    {
      using _ = openRunFolder(`${runs}/second`, { resume: true });
      assertThrows(
        () => removeRun(`${runs}/second`),
        GapcamError,
        "another process is training there",
      );
    }
    assertEquals(removeRun(`${runs}/second`), ["notes.md"]);
    assertEquals([...Deno.readDirSync(runs)].map(({ name }) => name), [
      "second",
    ]);
  }));
