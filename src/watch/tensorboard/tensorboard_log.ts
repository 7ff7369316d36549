import type { ProtoMessage } from "../../_protobuf.ts";
import { printable } from "../../_printable.ts";
import type {
  EvaluationEvent,
  HistogramsEvent,
  RunEvent,
  StartEvent,
  ValidationEvent,
} from "../../train/run_event.ts";
import type { Image } from "../../image/image.ts";
import { confusionPicture } from "../confusion_picture.ts";
import type { FilmFrame, FilmTitle } from "../film.ts";
import { EventFile } from "./_event_file.ts";
import { filmImages, filmPicture } from "./_film_picture.ts";
import {
  experimentValue,
  hyperParametersOf,
  sessionEndValue,
  sessionStartValue,
} from "./_hparams.ts";
import {
  histogram,
  markdown,
  type Moment,
  picture,
  resumeEvent,
  scalar,
  summaryEvent,
} from "./_summary.ts";

/** Folders within a run's, so that TensorBoard lays their curves over each other. */
type Part = "train" | "validation" | "test";

/**
 * Turns a run's events into TensorBoard's files: `train`, `validation` and `test`
 * within a folder, whose curves TensorBoard draws in one chart, and in the folder
 * itself what the run was told. A reader of events alone: it makes the same
 * of a run that is under way and of the log of one that is over.
 *
 * @example The log of a run that is over
 * ```ts
 * import { TensorboardLog } from "@gapcam/gapcam/watch";
 * import { runEvent } from "../../train/run_event.ts";
 *
 * const folder = await Deno.makeTempDir();
 * using log = new TensorboardLog(`${folder}/first`);
 * log.add(runEvent({
 *   event: "validation", epoch: 1, step: 20, images: 100, loss: 2, accuracy: 0.3,
 *   top5: 0.8, best: true, seconds: 1,
 * }));
 * const files = [...Deno.readDirSync(`${folder}/first/validation`)];
 * if (!files[0]?.name.includes("tfevents")) throw new Error("unexpected");
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class TensorboardLog implements Disposable {
  readonly #folder: string;
  readonly #files = new Map<Part | "run", EventFile>();
  /** Where the run went on; files that are opened later say it too. */
  #resumed: Moment | undefined;
  #step = 0;
  #filmProblem: string | undefined;
  #filmed: { of: unknown; images: readonly Image[] } | undefined;

  /**
   * Writes nothing yet.
   *
   * @param folder The folder of the run's files; made when something is written.
   */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Writes what an event says. Events come in the order of the run.
   *
   * @throws {GapcamError} If the files cannot be written.
   */
  add(event: RunEvent): void {
    const time = secondsOf(event.time);
    if ("totalSteps" in event) this.#step = event.totalSteps;
    else if ("step" in event) this.#step = event.step;
    const moment = { time, step: this.#step };
    const write = (part: Part | "run", values: ProtoMessage[]) =>
      this.#write(part, moment, values);
    switch (event.event) {
      case "start":
      case "resume":
        this.#resume(moment);
        return write("run", startValues(event, time));
      case "interval":
        return write("train", [
          scalar("interval/loss", event.loss),
          scalar("interval/accuracy", event.accuracy),
          scalar("interval/learning_rate", event.learningRate),
          scalar("interval/images_per_second", event.imagesPerSecond),
        ]);
      case "epoch":
        return write("train", [
          scalar("loss", event.loss),
          scalar("accuracy", event.accuracy),
          scalar("epoch/number", event.epoch),
          scalar("epoch/seconds", event.seconds),
          scalar("epoch/learning_rate", event.learningRate),
        ]);
      case "histograms":
        return write("train", histogramValues(event));
      case "validation":
        return write("validation", [
          scalar("loss", event.loss),
          scalar("accuracy", event.accuracy),
          scalar("top5", event.top5),
          scalar("epoch/number", event.epoch),
          scalar("epoch/seconds", event.seconds),
          ...confusionValues(event),
        ]);
      case "evaluation":
        return write(event.split, evaluationValues(event));
      case "divergence":
        return write("run", [
          markdown("divergence", escaped(event.message)),
          sessionEndValue("diverged", time),
        ]);
      case "stop":
        return write("run", [sessionEndValue(event.reason, time)]);
    }
  }

  /**
   * Writes the maps of a film's frame as pictures: it comes after the event of
   * the epoch that it is of.
   *
   * @param title Which images the film is of.
   * @param frame Their maps.
   * @param time When that was, as of the event.
   * What cannot be decoded or drawn is left out, with all that follows; see
   * {@linkcode filmProblem}.
   *
   * @throws {GapcamError} If the files cannot be written.
   */
  async addFrame(
    title: FilmTitle,
    frame: FilmFrame,
    time: string,
  ): Promise<void> {
    if (this.#filmProblem !== undefined) return;
    const { classes } = title;
    let values: ProtoMessage[];
    try {
      if (this.#filmed?.of !== title.images) {
        this.#filmed = { of: title.images, images: await filmImages(title) };
      }
      const { images } = this.#filmed;
      values = frame.images.map((filmed, i) =>
        picture(
          `maps/${i} ${printable(classes[filmed.label.classIndex] ?? "", 60)}`,
          filmPicture(images[i]!, filmed, classes),
        )
      );
    } catch (error) {
      this.#filmProblem = error instanceof Error ? error.message : `${error}`;
      return;
    }
    const moment = { time: secondsOf(time), step: frame.step };
    this.#write(partOf(title.split), moment, values);
  }

  /** Why there are no more maps, if there are none. */
  get filmProblem(): string | undefined {
    return this.#filmProblem;
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file[Symbol.dispose]();
    this.#files.clear();
  }

  #write(
    part: Part | "run",
    moment: Moment,
    values: readonly ProtoMessage[],
  ): void {
    if (values.length === 0) return;
    let file = this.#files.get(part);
    if (!file) {
      const folder = part === "run" ? this.#folder : `${this.#folder}/${part}`;
      file = new EventFile(folder, moment.time);
      this.#files.set(part, file);
      if (this.#resumed) file.add(resumeEvent(this.#resumed));
    }
    file.add(summaryEvent(moment, values));
  }

  #resume(moment: Moment): void {
    if (moment.step === 0 && this.#files.size === 0) return;
    this.#resumed = moment;
    for (const file of this.#files.values()) file.add(resumeEvent(moment));
  }
}

/** Of an event that does not say when, 0. */
function secondsOf(time: string): number {
  const seconds = Date.parse(time) / 1000;
  return Number.isFinite(seconds) ? seconds : 0;
}

/** A split that a file names. */
function partOf(split: string): Part {
  return split === "train" || split === "validation" ? split : "test";
}

function startValues(event: StartEvent, time: number): ProtoMessage[] {
  const parameters = hyperParametersOf(event);
  const { machine, command } = event;
  const rows = [
    ...parameters,
    ...Object.entries(machine ?? {}),
    ...(command ? [["command", command.join(" ")] as const] : []),
  ].map(([name, value]) => `| ${escaped(name)} | ${escaped(String(value))} |`);
  return [
    markdown(
      "configuration",
      ["| | |", "| --- | --- |", ...rows].join("\n"),
    ),
    experimentValue(parameters),
    sessionStartValue(parameters, time),
  ];
}

function histogramValues(event: HistogramsEvent): ProtoMessage[] {
  return (["parameters", "gradients"] as const).flatMap((kind) =>
    Object.entries(event[kind])
      .filter(([, { counts }]) => counts.length > 0)
      .map(([name, found]) => histogram(`${kind}/${name}`, found))
  );
}

/** The confusion matrix, if the log has it. */
function confusionValues(
  { classes, confusion }: ValidationEvent,
): ProtoMessage[] {
  if (!classes || !confusion) return [];
  const counted = classes.map((name, i) => ({
    name,
    images: confusion[i]!.reduce((sum, count) => sum + count, 0),
  }));
  return [
    picture("confusion", confusionPicture({ classes: counted, confusion })),
  ];
}

function evaluationValues(event: EvaluationEvent): ProtoMessage[] {
  const { loss, accuracy, top5, calibrationError, classes } = event;
  return [
    scalar("loss", loss),
    scalar("accuracy", accuracy),
    ...(top5 === undefined ? [] : [scalar("top5", top5)]),
    ...(calibrationError === undefined
      ? []
      : [scalar("calibration_error", calibrationError)]),
    ...classes.map(({ name, accuracy }) =>
      scalar(`class_accuracy/${printable(name, 60)}`, accuracy)
    ),
    ...(event.confusion.length > 0
      ? [picture("confusion", confusionPicture(event))]
      : []),
    ...(event.meanAveragePrecision === undefined
      ? []
      : [scalar("mean_average_precision", event.meanAveragePrecision)]),
  ];
}

/** Names of files and classes may hold anything. */
function escaped(text: string): string {
  return printable(text, 1000).replace(/[\\|`*_<>[\]]/g, (sign) => `\\${sign}`);
}
