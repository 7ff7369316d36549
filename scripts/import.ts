/**
 * `deno task import`: makes a checkpoint of weights that were trained elsewhere.
 *
 * @module
 */

import { definedOf } from "../src/_defined_of.ts";
import { GapcamError } from "../src/error.ts";
import {
  DATASET_NAMES,
  type DatasetName,
  openDataset,
} from "../src/data/open_dataset.ts";
import { VGG_CONFIGURATIONS, type VggStep } from "../src/models/vgg.ts";
import {
  describedWeights,
  type ImportedWeights,
  type ImportOptions,
  importWeights,
} from "../src/train/imported_weights.ts";
import { parseModel } from "../src/models/model_config.ts";
import {
  type MappedVgg,
  mapVggWeights,
} from "../src/models/map_vgg_weights.ts";
import { recogniseVgg } from "../src/models/recognise_vgg.ts";
import { writeSafetensors } from "../src/weights/write_safetensors.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { assertNoRun, shownPath, typedPath } from "./_runs.ts";
import {
  assumedLine,
  type NamedWeights,
  openNamedWeights,
  trainableHint,
} from "./_weights.ts";

const FLAGS = {
  model: {
    type: "string",
    formerly: ["arch"],
    help:
      "vgg11, vgg13, vgg16, vgg19, each with _bn for batch normalisation; " +
      "or a list as 32,32,M,64; the first four are recognised if left out",
    placeholder: "NAME",
  },
  head: {
    type: "string",
    choices: ["keep", "new"],
    help: "keep the linear layer that decides, or start a fresh one",
    default: "keep",
    placeholder: "HEAD",
  },
  classes: {
    type: "string",
    help: "class names in the order of the logits, as cat,dog",
    placeholder: "LIST",
  },
  dataset: {
    type: "string",
    choices: DATASET_NAMES,
    help: "the data set of the classes; names them too where it is there",
    placeholder: "NAME",
  },
  "image-size": {
    type: "integer",
    min: 1,
    max: 8192,
    help: "height and width that images are resized to",
    default: "224",
    placeholder: "PIXELS",
  },
  slope: {
    type: "number",
    min: 0,
    max: 1,
    help: "slope of the leaky ReLU",
    default: "0.2 for gapcam's and the notebook's names, else 0",
  },
  mean: {
    type: "string",
    help: "mean of each channel of the images in [0, 1]",
    default: "0.5 for gapcam's and the notebook's names, else ImageNet's",
    placeholder: "LIST",
  },
  deviation: {
    type: "string",
    help: "standard deviation of each channel",
    default: "likewise",
    placeholder: "LIST",
  },
  seed: { type: "integer", min: 0, help: "of a fresh head", default: "0" },
  out: {
    type: "string",
    help: "the safetensors file to write",
    placeholder: "FILE",
  },
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

type ImportFlags = FlagValues<typeof FLAGS>;

async function main(flags: ImportFlags): Promise<void> {
  const [source, ...rest] = flags.positional;
  if (source === undefined || rest.length > 0) {
    fail(`Cannot import ${flags.positional.length} files: name one`);
  }
  const { out } = flags;
  if (!out) fail("Cannot import weights without --out FILE.safetensors");
  if (!/\.safetensors$/i.test(out)) {
    fail(
      `Cannot write the import to ${out}: it becomes a safetensors file, whose ` +
        "name ends in .safetensors; deno task export writes other formats",
    );
  }
  const asked = flags.model === undefined ? undefined : steps(flags.model);
  const weights = await openNamedWeights(source, asked);
  const { described } = weights;
  const arch = flags.model ?? described?.modelName ?? recognised(weights);
  const head = (flags.head ?? "keep") as "keep" | "new";
  const given = chosenClasses(flags);
  const classes = given ?? (head === "keep" ? described?.classes : undefined);
  const mapped = mapNames(weights, arch, {
    head,
    ...(classes && head === "keep" ? { classes: classes.length } : {}),
  });
  const imported = importWeights(mapped, {
    ...conventions(flags, weights),
    modelName: arch,
    ...(classes ? { classes } : {}),
    ...(flags.dataset ? { dataset: flags.dataset } : {}),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
  });
  const path = userPath(out);
  await assertNoRun(path, weights.path);
  await writeSafetensors(path, imported.tensors, imported.metadata);
  report(flags, { weights, arch, mapped, imported, path });
}

/** What a name stands for: a published VGG as it is, a list as its steps. */
function steps(arch: string): string | VggStep[] {
  return Object.hasOwn(VGG_CONFIGURATIONS, arch.replace(/_bn$/, ""))
    ? arch
    : parseModel(arch);
}

/** The architecture that the weights themselves show. */
function recognised(weights: NamedWeights): string {
  const seen = recogniseVgg(weights.tensors);
  if (seen?.name) return seen.name;
  fail(
    "Cannot import weights without --model, such as vgg16" +
      (seen
        ? `; their shapes say ${seen.trunk.join(",")}, or the same with M at ` +
          "its end for a pool that leaves no trace in weights"
        : ""),
  );
}

/** Maps weights to gapcam's names; says which flag leaves the head out. */
function mapNames(
  weights: NamedWeights,
  arch: string,
  options: Parameters<typeof mapVggWeights>[2],
): MappedVgg {
  try {
    return mapVggWeights(weights.tensors, steps(arch), options);
  } catch (error) {
    if (
      !(error instanceof GapcamError) || !error.message.endsWith("fresh head")
    ) throw error;
    throw new GapcamError(error.code, `${error.message} with --head new`, {
      cause: error,
    });
  }
}

/** What flags say of a network, else what the file itself says. */
function conventions(
  flags: ImportFlags,
  { described }: NamedWeights,
): Partial<ImportOptions> {
  return definedOf({
    negativeSlope: flags.slope ?? described?.negativeSlope,
    mean: flags.mean ? numbers("mean", flags.mean) : described?.mean,
    deviation: flags.deviation
      ? numbers("deviation", flags.deviation)
      : described?.deviation,
    imageSize: flags["image-size"] ?? described?.imageSize,
  });
}

function report(
  flags: ImportFlags,
  { weights, arch, mapped, imported, path }: {
    weights: NamedWeights;
    arch: string;
    mapped: MappedVgg;
    imported: ImportedWeights;
    path: string;
  },
): void {
  const notes = [...weights.notes, ...mapped.notes];
  const { state, naming, inputChannels } = mapped;
  const described = describedWeights(imported.metadata)!;
  const { model, classes, imageSize, negativeSlope, mean, deviation } =
    described;
  if (flags.json) {
    console.log(JSON.stringify({
      source: weights.path,
      out: path,
      format: weights.format,
      architecture: arch,
      naming,
      tensors: state.size,
      complete: imported.complete,
      classes: classes ?? null,
      imageSize,
      negativeSlope,
      mean,
      deviation,
      assumed: imported.assumed.map(({ of }) => of),
      notes,
    }));
    return;
  }
  for (const note of notes) console.log(`${note}.`);
  if (flags.model === undefined) console.log(`Architecture: ${arch}.`);
  for (const one of imported.assumed) console.log(`${assumedLine(one)}.`);
  const shown = typedPath(path);
  console.log(
    `Imported ${state.size} ${state.size === 1 ? "tensor" : "tensors"} with ` +
      `${naming === "other" ? "their own" : `${naming}`} names into ${
        shownPath(path)
      }.`,
  );
  if (imported.complete && mapped.classes !== undefined) {
    console.log(
      `See where it looks with: deno task cam --checkpoint ${shown} ` +
        (flags.dataset ? "--index 3" : "--image PICTURE"),
    );
    return;
  }
  console.log(
    `Train its head with: deno task train --init ${shown}` +
      `${trainableHint(model, inputChannels)} --freeze features`,
  );
}

function chosenClasses(flags: ImportFlags): readonly string[] | undefined {
  if (flags.classes) {
    return flags.classes.split(",").map((name) => name.trim());
  }
  if (!flags.dataset) return undefined;
  return openDataset(flags.dataset as DatasetName, "test").classes;
}

function numbers(flag: string, text: string): number[] {
  const values = text.split(",").map(Number);
  if (values.every((value) => Number.isFinite(value))) return values;
  fail(
    `Cannot read --${flag} ${JSON.stringify(text)}: expected a list as ` +
      "0.485,0.456,0.406",
  );
}

function fail(message: string): never {
  throw new GapcamError("invalid-argument", message);
}

await runCommand({
  name: "import",
  summary: "Makes a checkpoint of weights that were trained elsewhere: " +
    "PyTorch state dicts and safetensors.",
  usage: "FILE --out FILE.safetensors [FLAGS]",
  positional: true,
  flags: FLAGS,
}, main);
