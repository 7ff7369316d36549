import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError, readRunLog, type RunEvent } from "../../mod.ts";
import { RUN_LOG_VERSION, runEvent } from "../../src/train/run_event.ts";
import { RunLog } from "../../src/train/run_log.ts";

/** Reads a log of these lines. */
async function read(...lines: unknown[]): Promise<RunEvent[]> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(
      path,
      lines.map((line) =>
        typeof line === "string" ? line : `${JSON.stringify(line)}\n`
      ).join(""),
    );
    return readRunLog(path);
  } finally {
    await Deno.remove(path);
  }
}

const STOP = { event: "stop", reason: "finished", epoch: 1, step: 3 } as const;

Deno.test("RunLog goes on after a line that was cut short", async () => {
  const path = await Deno.makeTempFile();
  const first = JSON.stringify(runEvent({ ...STOP, step: 1 }));
  await Deno.writeTextFile(path, `${first}\n{"event":"epo`);
  assertEquals(readRunLog(path).length, 1);
  {
    using log = new RunLog(path);
    log.write(runEvent(STOP));
  }
  assertEquals(
    readRunLog(path).map((event) => event.event === "stop" && event.step),
    [1, 3],
  );
  await Deno.remove(path);
});

Deno.test("readRunLog() names the line that is not JSON, or no object", async () => {
  for (
    const [line, found] of [
      ["nonsense\n", "line 2 is not JSON"],
      ["null\n", "line 2 is no JSON object"],
      ["[]\n", "line 2 is no JSON object"],
    ] as const
  ) {
    let error: unknown;
    await read(STOP, line, STOP).catch((caught) => error = caught);
    assertThrows(
      () => {
        throw error;
      },
      GapcamError,
      found,
    );
  }
});

Deno.test("readRunLog() reads what version 1 wrote under its own names", async () => {
  const events = await read(
    {
      event: "start",
      time: "2026-11-24T10:00:00.000Z",
      model: "tiny",
      dataset: { name: "shapes" },
      images: 40,
      config: { epochs: 2 },
      device: "cpu",
      precision: "f32",
      stepsPerEpoch: 4,
      step: 0,
    },
    { event: "stopped", time: "later", epoch: 1, step: 5 },
    { event: "diverged", time: "later", message: "Cannot go on" },
  );
  assertEquals(events.map(({ event }) => event), [
    "start",
    "stop",
    "divergence",
  ]);
  assertEquals(events[0], { ...events[0]!, version: 1 } as RunEvent);
  assertEquals(events[1], {
    ...STOP,
    reason: "interrupted",
    time: "later",
    step: 5,
  });
});

Deno.test("readRunLog() leaves out events that it does not know or that lack a number", async () => {
  const interval = {
    event: "interval",
    epoch: 1,
    step: 2,
    stepsPerEpoch: 4,
    totalSteps: 2,
    loss: 2.5,
    accuracy: 0.5,
    learningRate: 0.1,
    imagesPerSecond: 10,
  };
  const { loss: _, ...cut } = interval;
  const events = await read(
    { event: "picture", of: "a later version" },
    { event: "toString" },
    { no: "event" },
    cut,
    { ...interval, loss: "2.5" },
    // What JSON makes of NaN.
    { ...interval, loss: null },
    interval,
    {
      event: "histograms",
      epoch: 1,
      step: 2,
      parameters: { a: 3 },
      gradients: {},
    },
  );
  assertEquals(
    events.map((event) => event.event === "interval" && event.loss),
    [NaN, 2.5],
  );
});

Deno.test("readRunLog() leaves out a validation's matrix that is not one of its classes", async () => {
  const validation = {
    ...{ event: "validation", epoch: 1, step: 2, images: 4, loss: 1 },
    ...{ accuracy: 0.5, top5: 1, best: true, seconds: 1 },
  };
  const classes = ["cat", "dog"];
  const events = await read(
    { ...validation, classes, confusion: [[1, 0], [1, 2]] },
    { ...validation, classes, confusion: [[1, 0]] },
    { ...validation, classes, confusion: [[1, 0], [1, "2"]] },
    { ...validation, classes: [1, 2], confusion: [[1, 0], [1, 2]] },
    { ...validation, confusion: [[1, 0], [1, 2]] },
    validation,
  );
  assertEquals(
    events.map((event) => event.event === "validation" && event.confusion),
    [[[1, 0], [1, 2]], ...Array(5).fill(undefined)],
  );
});

Deno.test("readRunLog() refuses a log whose events have other meanings", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      event: "start",
      version: RUN_LOG_VERSION + 1,
      model: "m",
      dataset: {},
      images: 1,
      config: {},
      device: "cpu",
      stepsPerEpoch: 1,
      step: 0,
    }) + "\n",
  );
  assertThrows(
    () => readRunLog(path),
    GapcamError,
    `Cannot read run log ${path}: it has version 3, expected 1 or 2`,
  );
  await Deno.remove(path);
});
