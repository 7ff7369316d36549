/**
 * Imports whole networks: recognised ones and ONNX files.
 *
 * @module
 */

import { definedOf } from "../src/_defined_of.ts";
import { printable } from "../src/_printable.ts";
import { GapcamError } from "../src/error.ts";
import {
  INTERPOLATIONS,
  type Preprocessing,
} from "../src/image/preprocessing.ts";
import { MODELS } from "../src/models/find_model.ts";
import { recogniseModel } from "../src/models/recognise_model.ts";
import { classifierOf, outputsOf } from "../src/nn/classifier_of.ts";
import type { StateDict } from "../src/host_tensor.ts";
import type { Model } from "../src/nn/graph_of.ts";
import { perChannel } from "../src/nn/_per_channel.ts";
import { parametersOf } from "../src/nn/parameters.ts";
import { readOnnx } from "../src/onnx/read_onnx.ts";
import { importNetwork } from "../src/train/import_network.ts";
import {
  describedWeights,
  type ImportedWeights,
} from "../src/train/imported_weights.ts";
import { hostTensorOf } from "../src/weights/stored_tensor.ts";
import { writeSafetensors } from "../src/weights/write_safetensors.ts";
import { checkedLine, checkImport } from "./_check_import.ts";
import { userPath } from "./_command.ts";
import type { ImportJob } from "./_import_job.ts";
import { inputJson, inputLine } from "./_preprocessing.ts";
import { assertNoRun, shownPath, typedPath } from "./_runs.ts";
import { assumedLine, type NamedWeights } from "./_weights.ts";

/** What was imported, as it is reported. */
interface Imported {
  path: string;
  format: string;
  architecture: string;
  model: Model;
  state: StateDict;
  imported: ImportedWeights;
  notes: readonly string[];
}

/** Whether a name is that of an ONNX file. */
export function isOnnxName(name: string): boolean {
  return /\.onnx$/i.test(name);
}

/** Imports an ONNX file. */
export async function importOnnxFile(
  job: ImportJob,
  classes: readonly string[] | undefined,
): Promise<void> {
  refuseFreshHead(job);
  if (job.model !== undefined) {
    fail("Cannot use --model with an ONNX file: it says what its network is");
  }
  const path = userPath(job.source);
  const { imageSize } = job.conventions;
  const { model, state, image, notes, metadata } = await readOnnx(
    path,
    imageSize === undefined ? {} : { imageSize },
  );
  const [channels, height, width] = image;
  if (height !== width) {
    fail(
      `Cannot import ${
        shownPath(path)
      }: its images are ${width} x ${height}, ` +
        "expected squares",
    );
  }
  if (outputsOf(model) === undefined) {
    const { name, layer } = model.nodes[model.output]!;
    fail(
      `Cannot import ${shownPath(path)}: it ends in ${
        printable(name)
      } (${layer.kind}), expected a classifier, which ends in one number a class`,
    );
  }
  const own = metadataOf(metadata);
  const imported = importNetwork(
    { modelName: "onnx", model, state, inputChannels: channels },
    {
      ...own,
      imageSize: height,
      ...job.conventions,
      ...(classes ? { classes } : {}),
      ...(job.dataset ? { dataset: job.dataset } : {}),
    },
    { ...usualOf(channels), imageSize: height },
  );
  await write(job, {
    path,
    format: "onnx",
    architecture: "onnx",
    model,
    state,
    imported,
    notes,
  });
}

/** The network that weights belong to; undefined if it is none that is known. */
export function knownNetwork(
  { tensors }: NamedWeights,
  asked: string | undefined,
): { found: ReturnType<typeof recogniseModel>; prefix: string } {
  const shapes = new Map(
    [...tensors].map(([name, { shape }]) => [name, shape]),
  );
  let prefix = "";
  for (;;) {
    const inside = new Map(
      [...shapes].map(([name, shape]) => [name.slice(prefix.length), shape]),
    );
    try {
      const found = recogniseModel(inside, asked);
      return { found, prefix };
    } catch (error) {
      const [first] = inside.keys();
      const next = first?.slice(0, first.indexOf(".") + 1) ?? "";
      if (
        next === "" ||
        ![...inside.keys()].every((name) => name.startsWith(next))
      ) throw error;
      prefix += next;
    }
  }
}

/** Imports the weights of a network that is known by name. */
export async function importKnown(
  job: ImportJob,
  weights: NamedWeights,
  { classes, known: { found, prefix } }: {
    classes: readonly string[] | undefined;
    known: ReturnType<typeof knownNetwork>;
  },
): Promise<void> {
  refuseFreshHead(job);
  const { name, model, known } = found;
  const state = new Map(
    parametersOf(model).map(({ name, shape }) => {
      const source = prefix + name;
      const tensor = hostTensorOf(weights.tensors.get(source)!, {
        name: source,
        shape,
      });
      return [name, tensor];
    }),
  );
  const first = [...state.values()].find(({ shape }) => shape.length === 4)!;
  const channels = first.shape[1]!;
  const imported = importNetwork(
    { modelName: name, model, state, inputChannels: channels },
    {
      ...job.conventions,
      ...(classes ? { classes } : {}),
      ...(job.dataset ? { dataset: job.dataset } : {}),
    },
    channels === 3
      ? {
        mean: [...known.mean],
        deviation: [...known.deviation],
        imageSize: known.imageSize,
      }
      : { ...usualOf(channels), imageSize: known.imageSize },
  );
  await write(job, {
    path: weights.path,
    format: weights.format,
    architecture: name,
    model,
    state,
    imported,
    notes: [
      ...weights.notes,
      ...(prefix ? [`Removed the prefix ${JSON.stringify(prefix)}`] : []),
    ],
  });
}

/** Whether a name is that of a network that is no VGG of gapcam's. */
export function isKnownName(name: string | undefined): name is string {
  return name !== undefined && Object.hasOwn(MODELS, name);
}

function usualOf(channels: number): { mean: number[]; deviation: number[] } {
  if (channels !== 3) {
    const half = perChannel([0.5], channels);
    return { mean: half, deviation: half };
  }
  const { mean, deviation } = MODELS.resnet18!;
  return { mean: [...mean], deviation: [...deviation] };
}

/** What gapcam's own ONNX files say of what they expect. */
function metadataOf(
  metadata: Readonly<Record<string, string>>,
): Partial<Pick<Preprocessing, "interpolation" | "cropShare">> & {
  mean?: number[];
  deviation?: number[];
  classes?: string[];
} {
  const read = (name: string): unknown => {
    try {
      return JSON.parse(metadata[name] ?? "null");
    } catch {
      return undefined;
    }
  };
  const list = <Item>(name: string, is: (item: unknown) => item is Item) => {
    const value = read(name);
    return Array.isArray(value) && value.every(is) ? value : undefined;
  };
  const share = read("cropShare");
  const isNumber = (item: unknown) => typeof item === "number";
  const isText = (item: unknown) => typeof item === "string";
  return definedOf({
    mean: list("mean", isNumber),
    deviation: list("deviation", isNumber),
    classes: list("classes", isText),
    interpolation: INTERPOLATIONS.find((one) => one === read("interpolation")),
    cropShare: typeof share === "number" && share > 0 && share <= 1
      ? share
      : undefined,
  });
}

function refuseFreshHead({ head }: ImportJob): void {
  if (head === "keep") return;
  fail(
    "Cannot start a fresh head for a network that keeps its own: leave --head " +
      "out; deno task train --init starts one where the classes are others",
  );
}

async function write(
  job: ImportJob,
  { path, format, architecture, model, state, imported, notes }: Imported,
): Promise<void> {
  await assertNoRun(job.out, path);
  const checked = job.check &&
    await checkImport(job.check, { model, state });
  await writeSafetensors(job.out, imported.tensors, imported.metadata);
  const described = describedWeights(imported.metadata)!;
  if (job.json) {
    console.log(JSON.stringify({
      source: path,
      out: job.out,
      format,
      architecture,
      tensors: imported.tensors.size,
      complete: true,
      classes: described.classes,
      ...inputJson(described, "none"),
      assumed: imported.assumed.map(({ of }) => of),
      notes,
      ...(checked ? { checked } : {}),
    }));
    return;
  }
  for (const note of notes) {
    console.log(`${note[0]!.toUpperCase()}${note.slice(1)}.`);
  }
  if (format !== "onnx") console.log(`Architecture: ${architecture}.`);
  for (const one of imported.assumed) console.log(`${assumedLine(one)}.`);
  console.log(
    `Imported ${imported.tensors.size} tensors into ${shownPath(job.out)}.`,
  );
  console.log(`${inputLine(described, "crop")}.`);
  if (checked) console.log(`${checkedLine(checked)}.`);
  const shown = typedPath(job.out);
  console.log(
    classifierOf(model)
      ? `See where it looks with: deno task cam --checkpoint ${shown} ` +
        "--image PICTURE"
      : "It has no class activation map, as it does not end in global average " +
        `pooling; ask it with: deno task predict --checkpoint ${shown} PICTURE`,
  );
}

function fail(message: string): never {
  throw new GapcamError("invalid-argument", message);
}
