/**
 * `deno task import`: makes a checkpoint of weights that were trained elsewhere.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import {
  DATASET_NAMES,
  type DatasetName,
  openDataset,
} from "../src/data/open_dataset.ts";
import { VGG_CONFIGURATIONS } from "../src/nn/vgg.ts";
import { importWeights } from "../src/train/imported_weights.ts";
import { parseModel } from "../src/train/model_config.ts";
import { mapVggWeights } from "../src/weights/map_vgg_weights.ts";
import { openPytorch } from "../src/weights/read_pytorch.ts";
import { openSafetensors } from "../src/weights/read_safetensors.ts";
import { toStateDict } from "../src/weights/stored_tensor.ts";
import { writeSafetensors } from "../src/weights/write_safetensors.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { assertNoRun, shownPath } from "./_runs.ts";

const FLAGS = {
  model: {
    type: "string",
    formerly: ["arch"],
    help:
      "vgg11, vgg13, vgg16, vgg19, each with _bn for batch normalisation; " +
      "or a list as 32,32,M,64",
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
    default: "0 for torchvision's names, else 0.2",
  },
  mean: {
    type: "string",
    help: "mean of each channel of the images in [0, 1]",
    default: "ImageNet's for torchvision's names, else 0.5",
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
} as const satisfies Record<string, Flag>;

async function main(flags: FlagValues<typeof FLAGS>): Promise<void> {
  const [source, ...rest] = flags.positional;
  if (source === undefined || rest.length > 0) {
    fail(`Cannot import ${flags.positional.length} files: name one`);
  }
  const { model: arch, out } = flags;
  if (!arch) fail("Cannot import weights without --model, such as vgg16");
  if (!out) fail("Cannot import weights without --out FILE.safetensors");
  const { tensors, notes } = await open(userPath(source));
  const classes = chosenClasses(flags);
  const head = (flags.head ?? "keep") as "keep" | "new";
  const known = Object.hasOwn(VGG_CONFIGURATIONS, arch.replace(/_bn$/, ""));
  const mapped = mapVggWeights(
    toStateDict(tensors),
    known ? arch : parseModel(arch),
    {
      head,
      ...(classes && head === "keep" ? { classes: classes.length } : {}),
    },
  );
  const imported = importWeights(mapped, {
    modelName: arch,
    ...(classes ? { classes } : {}),
    ...(flags.dataset ? { dataset: flags.dataset } : {}),
    ...(flags["image-size"] ? { imageSize: flags["image-size"] } : {}),
    ...(flags.slope === undefined ? {} : { negativeSlope: flags.slope }),
    ...(flags.mean ? { mean: numbers("mean", flags.mean) } : {}),
    ...(flags.deviation
      ? { deviation: numbers("deviation", flags.deviation) }
      : {}),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
  });
  const path = userPath(out);
  await assertNoRun(path, userPath(source));
  await writeSafetensors(path, imported.tensors, imported.metadata);
  for (const note of [...notes, ...mapped.notes]) console.log(`${note}.`);
  const shown = shownPath(path);
  console.log(
    `Imported ${mapped.state.size} tensors with ${mapped.naming} names into ` +
      `${shown}.`,
  );
  if (imported.complete && head === "keep") {
    console.log(
      `See where it looks with: deno task cam --checkpoint ${shown}`,
    );
    return;
  }
  console.log(
    `Train its head with: deno task train --init ${shown} ` +
      `--model ${arch.replace(/_bn$/, "")} --freeze features`,
  );
}

/** Tensors of a PyTorch or a safetensors file, whichever it is. */
async function open(path: string) {
  if (!path.endsWith(".safetensors")) return await openPytorch(path);
  return { tensors: (await openSafetensors(path)).tensors, notes: [] };
}

function chosenClasses(
  flags: FlagValues<typeof FLAGS>,
): readonly string[] | undefined {
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
  usage: "FILE --model NAME --out FILE.safetensors [FLAGS]",
  positional: true,
  flags: FLAGS,
}, main);
