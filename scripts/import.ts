/**
 * `deno task import`: makes a checkpoint of weights that were trained elsewhere.
 *
 * @module
 */

import { definedOf } from "../src/_defined_of.ts";
import { GapcamError } from "../src/error.ts";
import { openDataset } from "../src/data/open_dataset.ts";
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
import { type Checked, checkedLine, checkImport } from "./_check_import.ts";
import { runCommand } from "./_command.ts";
import {
  IMPORT_FLAGS,
  type ImportCheck,
  type ImportJob,
  importJob,
} from "./_import_job.ts";
import {
  importKnown,
  importOnnxFile,
  isKnownName,
  isOnnxName,
  knownNetwork,
} from "./_import_network.ts";
import { inputJson, inputLine } from "./_preprocessing.ts";
import { assertNoRun, shownPath, typedPath } from "./_runs.ts";
import {
  assumedLine,
  type NamedWeights,
  openNamedWeights,
  trainableHint,
} from "./_weights.ts";

async function main(job: ImportJob): Promise<void> {
  const { source, head, out: path } = job;
  if (isOnnxName(source)) return await importOnnxFile(job, chosenClasses(job));
  const asked = job.model === undefined || isKnownName(job.model)
    ? undefined
    : steps(job.model);
  const weights = await openNamedWeights(source, asked);
  const { described } = weights;
  if (isKnownName(job.model) || isForeign(job, weights)) {
    return await importKnown(job, weights, {
      classes: chosenClasses(job),
      known: recognisedNetwork(weights, job.model),
    });
  }
  const arch = job.model ?? described?.modelName ?? recognised(weights);
  const given = chosenClasses(job);
  const classes = given ??
    (head === "keep" ? described?.classes : undefined);
  const mapped = mapNames(weights, arch, {
    head,
    ...(classes && head === "keep" ? { classes: classes.length } : {}),
  });
  const imported = importWeights(mapped, {
    ...conventions(job, weights),
    modelName: arch,
    ...(classes ? { classes } : {}),
    ...(job.dataset ? { dataset: job.dataset } : {}),
    ...(job.seed === undefined ? {} : { seed: job.seed }),
  });
  await assertNoRun(path, weights.path);
  const checked = job.check && await checkVgg(job.check, imported);
  await writeSafetensors(path, imported.tensors, imported.metadata);
  report(job, { weights, arch, mapped, imported, path, checked });
}

/** The network that weights belong to; says which flag helps where it is not known. */
function recognisedNetwork(
  weights: NamedWeights,
  asked: string | undefined,
): ReturnType<typeof knownNetwork> {
  try {
    return knownNetwork(weights, asked);
  } catch (error) {
    if (
      !(error instanceof GapcamError) || error.code !== "not-found" || asked
    ) throw error;
    throw new GapcamError(
      error.code,
      `${error.message}; name a VGG with --model, such as vgg16`,
      { cause: error },
    );
  }
}

/** Whether weights are to be recognised and are no VGG. */
function isForeign(job: ImportJob, weights: NamedWeights): boolean {
  if (job.model !== undefined || weights.described) return false;
  const seen = recogniseVgg(weights.tensors);
  // A few tensors of any network may look like a small VGG's.
  return !seen || 2 * seen.tensors < weights.tensors.size;
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

/** Compares what a VGG computes, if it has all of its weights. */
async function checkVgg(
  check: ImportCheck,
  imported: ImportedWeights,
): Promise<Checked> {
  if (!imported.complete) {
    fail(
      "Cannot check the import: its head is fresh, so that its logits are random",
    );
  }
  const { model } = describedWeights(imported.metadata)!;
  return await checkImport(check, { model, state: imported.tensors });
}

/** What was said of a network, else what the file itself says. */
function conventions(
  job: ImportJob,
  { described }: NamedWeights,
): Partial<ImportOptions> {
  return {
    ...definedOf({
      negativeSlope: described?.negativeSlope,
      mean: described?.mean,
      deviation: described?.deviation,
      imageSize: described?.imageSize,
      interpolation: described?.interpolation,
      cropShare: described?.cropShare,
    }),
    ...job.conventions,
  };
}

function report(
  job: ImportJob,
  { weights, arch, mapped, imported, path, checked }: {
    weights: NamedWeights;
    arch: string;
    mapped: MappedVgg;
    imported: ImportedWeights;
    path: string;
    checked: Checked | undefined;
  },
): void {
  const notes = [...weights.notes, ...mapped.notes];
  const { state, naming, inputChannels } = mapped;
  const described = describedWeights(imported.metadata)!;
  const { model, classes, negativeSlope } = described;
  if (job.json) {
    console.log(JSON.stringify({
      source: weights.path,
      out: path,
      format: weights.format,
      architecture: arch,
      naming,
      tensors: state.size,
      complete: imported.complete,
      classes: classes ?? null,
      negativeSlope,
      ...inputJson(described, "none"),
      assumed: imported.assumed.map(({ of }) => of),
      notes,
      ...(checked ? { checked } : {}),
    }));
    return;
  }
  for (const note of notes) console.log(`${note}.`);
  if (job.model === undefined) console.log(`Architecture: ${arch}.`);
  for (const one of imported.assumed) console.log(`${assumedLine(one)}.`);
  const shown = typedPath(path);
  console.log(
    `Imported ${state.size} ${state.size === 1 ? "tensor" : "tensors"} with ` +
      `${naming === "other" ? "their own" : `${naming}`} names into ${
        shownPath(path)
      }.`,
  );
  console.log(`${inputLine(described, "crop")}.`);
  if (checked) console.log(`${checkedLine(checked)}.`);
  if (imported.complete && mapped.classes !== undefined) {
    console.log(
      `See where it looks with: deno task cam --checkpoint ${shown} ` +
        (job.dataset ? "--index 3" : "--image PICTURE"),
    );
    return;
  }
  console.log(
    `Train its head with: deno task train --init ${shown}` +
      `${trainableHint(model, inputChannels)} --freeze features`,
  );
}

function chosenClasses(
  { classes, dataset }: ImportJob,
): readonly string[] | undefined {
  if (classes || !dataset) return classes;
  return openDataset(dataset, "test").classes;
}

function fail(message: string): never {
  throw new GapcamError("invalid-argument", message);
}

await runCommand({
  name: "import",
  summary: "Makes a checkpoint of weights that were trained elsewhere: " +
    "PyTorch state dicts, safetensors and ONNX.",
  usage: "FILE --out FILE.safetensors [FLAGS]",
  positional: true,
  flags: IMPORT_FLAGS,
}, (flags) => main(importJob(flags)));
