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
import { writePytorch } from "../src/weights/write_pytorch.ts";
import { writeSafetensors } from "../src/weights/write_safetensors.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { CHECKPOINT_FLAG } from "./_network_flags.ts";
import { assertNoRun, chosenRun, openCheckpoint, shownPath } from "./_runs.ts";

const FLAGS = {
  format: {
    type: "string",
    choices: ["onnx", "pt", "safetensors"],
    help: "what to write",
    default: "what the name of --out says",
    placeholder: "FORMAT",
  },
  checkpoint: CHECKPOINT_FLAG,
  names: {
    type: "string",
    choices: ["gapcam", "notebook"],
    help: "names of the trunk's tensors: features.N as torchvision's, or " +
      "conv.N as the notebook's",
    default: "gapcam",
    placeholder: "NAMES",
  },
  out: { type: "string", help: "the file to write", placeholder: "FILE" },
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

const FORMATS: Readonly<Record<string, "onnx" | "pt" | "safetensors">> = {
  onnx: "onnx",
  pt: "pt",
  pth: "pt",
  safetensors: "safetensors",
};

async function main(flags: FlagValues<typeof FLAGS>): Promise<void> {
  const { out } = flags;
  if (!out) fail("Cannot export a network without --out FILE");
  const format = flags.format ??
    FORMATS[out.slice(out.lastIndexOf(".") + 1).toLowerCase()];
  if (format === undefined) {
    fail(`Cannot tell a format from ${out}: name one with --format`);
  }
  if (format === "onnx" && flags.names === "notebook") {
    fail("Cannot name tensors as the notebook does in ONNX: leave --names out");
  }
  const { source, checkpoint } = await chosenRun(flags.checkpoint, {
    load: async (source) => ({
      source,
      checkpoint: await openCheckpoint(source),
    }),
  });
  const { model, modelName, parameters, classes, training } = checkpoint;
  const { imageSize, mean, deviation } = training;
  const path = userPath(out);
  await assertNoRun(path, source);
  if (format === "onnx") {
    await writeOnnx(path, model, parameters, { mean, deviation, classes });
  } else {
    const state: StateDict = new Map(
      parametersOf(model).map(({ name }) => [
        flags.names === "notebook"
          ? name.replace(/^features\./, "conv.")
          : name,
        parameters.get(name) ?? fail(
          `Cannot export ${shownPath(source)}: ${name} is missing`,
        ),
      ]),
    );
    if (format === "pt") await writePytorch(path, state);
    else {
      await writeSafetensors(path, state, {
        ...(flags.names === "notebook"
          ? { format: "pt" }
          : weightsMetadata({ modelName, model, training })),
        classes: JSON.stringify(classes),
        mean: JSON.stringify(mean),
        deviation: JSON.stringify(deviation),
      });
    }
  }
  if (flags.json) {
    console.log(JSON.stringify({
      checkpoint: source,
      out: path,
      format,
      names: flags.names ?? "gapcam",
      classes,
      imageSize,
      mean,
      deviation,
    }));
    return;
  }
  console.log(
    `Exported ${shownPath(source)} to ${shownPath(path)}.\n` +
      `It takes images of ${imageSize} x ${imageSize} pixels as ` +
      `(x / 255 - [${mean.join(", ")}]) / [${deviation.join(", ")}].`,
  );
}

function fail(message: string): never {
  throw new GapcamError("invalid-argument", message);
}

await runCommand({
  name: "export",
  summary:
    "Gives a trained network to other tools: ONNX, PyTorch, safetensors.",
  usage: "--out FILE [FLAGS]",
  flags: FLAGS,
}, main);
