import { exists } from "../_files.ts";
import { GapcamError } from "../error.ts";
import { cifarFiles, openCifar } from "./cifar.ts";
import type { Dataset, SplitName } from "./dataset.ts";
import { type FolderOptions, openFolder } from "./folder.ts";
import { mnistFiles, openMnist } from "./mnist.ts";
import { shapesDataset } from "./shapes_dataset.ts";
import { openStl10, stl10Files } from "./stl10.ts";

/** Data sets that {@linkcode openDataset} knows by name. */
export const DATASET_NAMES = [
  "stl10",
  "cifar10",
  "cifar100",
  "mnist",
  "fashion-mnist",
  "shapes",
  "folder",
] as const;

/** One of {@linkcode DATASET_NAMES}. */
export type DatasetName = typeof DATASET_NAMES[number];

/** Options of {@linkcode openDataset}. */
export interface OpenDatasetOptions extends
  Pick<
    FolderOptions,
    "testFraction" | "strict" | "workers" | "interpolation" | "cropShare"
  > {
  /**
   * Folder of the files. Default: `data/NAME` in the working folder; for
   * Fashion-MNIST also where Debian's package dataset-fashion-mnist puts it.
   */
  dataDir?: string;
  /** Use only the first `limit` images. */
  limit?: number;
  /** Seed of generated data and of a split by fraction. Default: 0. */
  seed?: number;
  /**
   * Height and width of generated images (default: 96) and of those from
   * folders (default: 224).
   */
  size?: number;
}

/** Where Debian's package dataset-fashion-mnist puts its files. */
const DEBIAN_FASHION_MNIST = "/usr/share/datasets/fashion-mnist";

/**
 * Where a data set is looked for when no folder is named: `data/NAME` in the
 * working folder; Fashion-MNIST also where Debian's package puts it.
 *
 * @returns The folder that holds all of its files, or undefined if none does.
 * What a download left unfinished does not count.
 */
export function datasetFolder(name: DatasetName): string | undefined {
  const folders = [`data/${name}`];
  if (name === "fashion-mnist") folders.push(DEBIAN_FASHION_MNIST);
  return folders.find((folder) => isComplete(name, folder));
}

function isComplete(name: DatasetName, folder: string): boolean {
  if (!exists(folder)) return false;
  return (["train", "test"] as const).every((split) => {
    switch (name) {
      case "stl10":
        return stl10Files(split, folder).every((path) => path);
      case "cifar10":
      case "cifar100":
        return cifarFiles(name, split, folder).every((path) => path);
      case "mnist":
      case "fashion-mnist":
        return mnistFiles(name, split, folder).every((path) => path);
      default:
        return true;
    }
  });
}

/**
 * Opens one split of a data set.
 *
 * @param name Which data set.
 * @param split `train` or `test`; of a folder `validation` too.
 * @param options Where it is, and how much of it to use.
 * @throws {GapcamError} If the files are missing (the message says which
 * command fetches them), truncated, oversized or damaged, or a number is out
 * of range.
 *
 * @example
 * ```ts
 * import { openDataset } from "@gapcam/gapcam";
 *
 * const shapes = openDataset("shapes", "test", { limit: 50, size: 32 });
 * if (shapes.length !== 50) throw new Error();
 * ```
 */
export function openDataset(
  name: DatasetName,
  split: SplitName,
  options: OpenDatasetOptions = {},
): Dataset {
  const { limit } = options;
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot limit ${name} to ${limit} images: expected a whole number ` +
        "from 1",
    );
  }
  return limited(openWhole(name, split, options), limit);
}

function openWhole(
  name: DatasetName,
  split: SplitName,
  options: OpenDatasetOptions,
): Dataset {
  if (!DATASET_NAMES.includes(name)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot open data set ${JSON.stringify(name)}: expected one of ${
        DATASET_NAMES.join(", ")
      }`,
    );
  }
  // One split alone may be there, or enough to say what is missing.
  const folder = options.dataDir ?? datasetFolder(name) ?? `data/${name}`;
  if (name === "folder") return openFolder(split, folder, options);
  if (split === "validation") {
    throw new GapcamError(
      "not-found",
      `Cannot open images of ${name} for validation: it has none of its own; ` +
        "hold a part of the training images out",
    );
  }
  if (name === "shapes") {
    if (options.dataDir !== undefined) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot read shapes from ${options.dataDir}: they are generated, no ` +
          "folder holds them",
      );
    }
    return shapesDataset(split, {
      seed: options.seed ?? 0,
      size: options.size ?? 96,
    });
  }
  if (!exists(folder)) {
    throw new GapcamError(
      "not-found",
      `Cannot open ${name}: the folder ${folder} does not exist; fetch it ` +
        `with: ${fetchCommand(name)}`,
    );
  }
  if (Deno.statSync(folder).isFile) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot open ${name}: ${folder} is a file, expected a folder; an ` +
        `archive is unpacked with: deno task data ${name}, which takes its path`,
    );
  }
  try {
    switch (name) {
      case "stl10":
        return openStl10(split, folder);
      case "cifar10":
      case "cifar100":
        return openCifar(name, split, folder);
      case "mnist":
      case "fashion-mnist":
        return openMnist(name, split, folder);
    }
  } catch (error) {
    if (!(error instanceof GapcamError) || error.code !== "not-found") {
      throw error;
    }
    throw new GapcamError(
      "not-found",
      `${error.message}; fetch it with: ${fetchCommand(name)}`,
    );
  }
}

/** The command that fetches a data set. */
function fetchCommand(name: string): string {
  const task = `deno task data ${name}`;
  return name === "fashion-mnist"
    ? `${task} (or Debian's package dataset-fashion-mnist)`
    : task;
}

/** The first `limit` images of a data set, in its order. */
function limited(dataset: Dataset, limit: number | undefined): Dataset {
  if (limit === undefined || limit >= dataset.length) return dataset;
  return {
    ...(dataset.boxes ? { boxes: (index) => dataset.boxes!(index) } : {}),
    name: dataset.name,
    split: dataset.split,
    classes: dataset.classes,
    height: dataset.height,
    width: dataset.width,
    channels: dataset.channels,
    length: limit,
    // A view: labels of unreadable images change.
    labels: dataset.labels.subarray(0, limit),
    ...(dataset.targets
      ? {
        targets: dataset.targets.subarray(0, limit * dataset.classes.length),
      }
      : {}),
    notes: dataset.notes ?? [],
    get unreadable() {
      return dataset.unreadable ?? [];
    },
    read: (indices, target) => {
      for (let i = 0; i < indices.length; i++) {
        if (indices[i]! < limit) continue;
        throw new GapcamError(
          "invalid-argument",
          `Cannot read image ${indices[i]} of ${dataset.name} ` +
            `(${dataset.split}): it has images 0 to ${limit - 1}`,
        );
      }
      return dataset.read(indices, target);
    },
  };
}
