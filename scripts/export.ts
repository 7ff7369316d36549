/**
 * `deno task export`: gives a trained network to other tools.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import { parametersOf } from "../src/nn/parameters.ts";
import { weightsMetadata } from "../src/train/imported_weights.ts";
import type { StateDict } from "../src/host_tensor.ts";
import { writeOnnx } from "../src/onnx/write_onnx.ts";
import { exportTensorboard } from "../src/watch/tensorboard/export_tensorboard.ts";
import { writePytorch } from "../src/weights/write_pytorch.ts";
import { writeSafetensors } from "../src/weights/write_safetensors.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { CHECKPOINT_FLAG, LAST_FLAG } from "./_network_flags.ts";
import { inputLine } from "./_preprocessing.ts";
import {
  assertNoRun,
  chosenRun,
  openCheckpoint,
  shownPath,
  typedPath,
} from "./_runs.ts";
import { tensorboardFolder } from "./_tensorboard.ts";

const FLAGS = {
  format: {
    type: "string",
    choices: ["onnx", "pt", "safetensors", "tensorboard"],
    help: "what to write",
    default: "what the name of --out says",
    placeholder: "FORMAT",
  },
  checkpoint: CHECKPOINT_FLAG,
  last: LAST_FLAG,
  names: {
    type: "string",
    choices: ["gapcam", "notebook"],
    help: "names of the trunk's tensors: features.N as torchvision's, or " +
      "conv.N as the notebook's",
    default: "gapcam",
    placeholder: "NAMES",
  },
  out: {
    type: "string",
    help:
      "the file to write; of tensorboard a folder, for one of the run's name",
    placeholder: "FILE",
  },
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

const FORMATS: Readonly<Record<string, Format>> = {
  onnx: "onnx",
  pt: "pt",
  pth: "pt",
  safetensors: "safetensors",
};

type Format = "onnx" | "pt" | "safetensors" | "tensorboard";

/** What to export, and as what. */
interface Job {
  /** A checkpoint, a run's folder or name; the newest run if undefined. */
  checkpoint: string | undefined;
  /** Whether the run's last network is taken, not its best. */
  last: boolean;
  format: Format;
  /** Whose names the trunk's tensors have. */
  names: "gapcam" | "notebook";
  out: string;
  json: boolean;
}

/**
 * The job that flags describe.
 *
 * @throws {GapcamError} If they leave the file or its format open, or
 * contradict each other.
 */
function jobOf(flags: FlagValues<typeof FLAGS>): Job {
  const { out } = flags;
  if (!out) fail("Cannot export a network without --out FILE");
  const format = flags.format as Format | undefined ??
    FORMATS[out.slice(out.lastIndexOf(".") + 1).toLowerCase()];
  if (format === undefined) {
    fail(`Cannot tell a format from ${out}: name one with --format`);
  }
  const names = (flags.names ?? "gapcam") as Job["names"];
  if (names === "notebook" && (format === "onnx" || format === "tensorboard")) {
    fail(
      `Cannot name tensors as the notebook does in ${
        format === "onnx" ? "ONNX" : "TensorBoard's files"
      }: leave --names out`,
    );
  }
  const { checkpoint, last, json } = flags;
  return { checkpoint, last, format, names, out: userPath(out), json };
}

/** Writes the log of a run as TensorBoard's files. */
async function exportEvents(job: Job): Promise<void> {
  const source = await chosenRun(job.checkpoint, {
    last: true,
    load: (source) => Promise.resolve(source),
  });
  const run = source.slice(0, source.lastIndexOf("/"));
  const out = tensorboardFolder(job.out, run);
  const { events, filmProblem } = await exportTensorboard(run, out);
  if (filmProblem) {
    console.error(`note: the maps of its film are left out: ${filmProblem}`);
  }
  if (job.json) {
    console.log(JSON.stringify({ run, out, format: job.format, events }));
    return;
  }
  console.log(
    `Exported ${shownPath(run)} to ${shownPath(out)}. See it with: ` +
      `tensorboard --logdir ${typedPath(job.out)}`,
  );
}

async function main(job: Job): Promise<void> {
  if (job.format === "tensorboard") return await exportEvents(job);
  const { format, names, out: path } = job;
  const { source, checkpoint } = await chosenRun(job.checkpoint, {
    last: job.last,
    load: async (source) => ({
      source,
      checkpoint: await openCheckpoint(source),
    }),
  });
  const { model, modelName, parameters, classes, training } = checkpoint;
  const { imageSize, interpolation, cropShare, mean, deviation } = training;
  const preprocessing = {
    imageSize,
    interpolation,
    cropShare,
    mean,
    deviation,
  };
  await assertNoRun(path, source);
  if (format === "onnx") {
    await writeOnnx(path, model, parameters, {
      preprocessing: training,
      classes,
    });
  } else {
    const state: StateDict = new Map(
      parametersOf(model).map(({ name }) => [
        names === "notebook" ? name.replace(/^features\./, "conv.") : name,
        parameters.get(name) ?? fail(
          `Cannot export ${shownPath(source)}: ${name} is missing`,
        ),
      ]),
    );
    const write = format === "pt" ? writePytorch : writeSafetensors;
    await write(path, state, {
      ...(names === "notebook"
        ? { format: "pt" }
        : weightsMetadata({ modelName, model, training })),
      classes: JSON.stringify(classes),
      ...Object.fromEntries(
        Object.entries(preprocessing).map(([name, value]) => [
          name,
          JSON.stringify(value),
        ]),
      ),
    });
  }
  if (job.json) {
    console.log(JSON.stringify({
      checkpoint: source,
      out: path,
      format,
      names,
      classes,
      ...preprocessing,
    }));
    return;
  }
  console.log(
    `Exported ${shownPath(source)} to ${shownPath(path)}.\n` +
      `${inputLine(training, "crop")}.`,
  );
}

function fail(message: string): never {
  throw new GapcamError("invalid-argument", message);
}

await runCommand({
  name: "export",
  summary:
    "Gives a trained network to other tools: ONNX, PyTorch, safetensors, " +
    "and its log to TensorBoard.",
  usage: "--out FILE [FLAGS]",
  flags: FLAGS,
}, (flags) => main(jobOf(flags)));
