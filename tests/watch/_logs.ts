import { trainingConfig } from "../../mod.ts";
import type { RunEventContent } from "../../src/train/run_event.ts";

const BEGAN = Date.parse("2026-11-24T10:00:00Z");

/** A line of a log, so many seconds after its beginning. */
export function line(second: number, event: RunEventContent): string {
  const time = new Date(BEGAN + 1000 * second).toISOString();
  return `${JSON.stringify({ ...event, time })}\n`;
}

/** A run of 4 epochs of 10 steps begins, or goes on. */
export function begins(
  second: number,
  step = 0,
  more: Record<string, unknown> = {},
): string {
  return line(second, {
    event: step === 0 ? "start" : "resume",
    version: 2,
    model: "tiny",
    dataset: { name: "shapes" },
    images: 100,
    config: trainingConfig({ epochs: 4, batchSize: 10 }),
    device: "cpu",
    precision: "f32",
    stepsPerEpoch: 10,
    step,
    ...more,
  });
}

/** An interval ends after a step. */
export function interval(second: number, step: number, loss: number): string {
  return line(second, {
    event: "interval",
    epoch: Math.ceil(step / 10),
    step: (step - 1) % 10 + 1,
    stepsPerEpoch: 10,
    totalSteps: step,
    loss,
    accuracy: 1 / (1 + loss),
    learningRate: 0.01,
    imagesPerSecond: 20,
  });
}

/** An epoch ends. */
export function epoch(second: number, epoch: number, loss: number): string {
  return line(second, {
    event: "epoch",
    epoch,
    step: 10,
    stepsPerEpoch: 10,
    totalSteps: 10 * epoch,
    loss,
    accuracy: 1 / (1 + loss),
    learningRate: 0.01,
    seconds: 5,
  });
}

/** The network is judged. */
export function validation(second: number, epoch: number): string {
  return line(second, {
    event: "validation",
    epoch,
    step: 10 * epoch,
    images: 4,
    loss: 2 / epoch,
    accuracy: 0.5,
    top5: 1,
    best: epoch === 1,
    classes: ["cat", "dog"],
    confusion: [[1, 1], [epoch > 1 ? 2 : 1, epoch > 1 ? 0 : 1]],
    seconds: 1,
  });
}

/** Runs a test in a folder of runs that is gone afterwards. */
export async function withRuns(
  test: (runs: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/runs`);
    await test(`${folder}/runs`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes a run's log, or adds to it. */
export async function log(
  runs: string,
  id: string,
  ...lines: string[]
): Promise<void> {
  await Deno.mkdir(`${runs}/${id}`, { recursive: true });
  await Deno.writeTextFile(`${runs}/${id}/log.jsonl`, lines.join(""), {
    append: true,
  });
}
