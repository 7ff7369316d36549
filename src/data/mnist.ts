import { GapcamError } from "../error.ts";
import { IDX_LIMIT } from "./_file_form.ts";
import { findFile, readDataFile, startOf } from "./_read_data_file.ts";
import { MemoryDataset, toLabels } from "./_memory_dataset.ts";
import type { Dataset } from "./dataset.ts";
import { type IdxArray, parseIdx } from "./idx.ts";

const CLASSES = {
  "mnist": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  "fashion-mnist": [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
  ],
} as const;

/** Opens MNIST or Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) in a folder of IDX files. */
export function openMnist(
  name: keyof typeof CLASSES,
  split: "train" | "test",
  folder: string,
): Dataset {
  const [images, labels] = mnistFiles(name, split, folder).map((path, i) => {
    const names = namesOf(split, WHAT[i]!);
    if (path === undefined) {
      throw new GapcamError(
        "not-found",
        `Cannot find ${names.join(" or ")} in ${folder}`,
      );
    }
    const bytes = readDataFile(path, IDX_LIMIT, { unpack: true });
    return { path, ...parseIdx(bytes, path) };
  }) as [IdxFile, IdxFile];
  const [count, height, width] = images.shape;
  if (images.shape.length !== 3 || !height || !width || !count) {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${images.path}: found shape [${
        images.shape.join(", ")
      }], expected [images, height, width]`,
    );
  }
  if (labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new GapcamError(
      "bad-data",
      `Cannot read ${labels.path}: found shape [${
        labels.shape.join(", ")
      }], expected [${count}], one label for each image`,
    );
  }
  const classes = CLASSES[name];
  return new MemoryDataset(
    images.data,
    toLabels(labels.data, classes.length, { source: labels.path }),
    { name, split, classes, height, width, channels: 1 },
  );
}

interface IdxFile extends IdxArray {
  path: string;
}

const WHAT = ["images", "labels"] as const;

/** The files of a split, images and labels, where they are there. */
export function mnistFiles(
  name: keyof typeof CLASSES,
  split: "train" | "test",
  folder: string,
): (string | undefined)[] {
  const says = split === "train" ? /train/i : /t10k|test/i;
  return WHAT.map((what) =>
    // However others name them: an archiver writes train-images.idx3-ubyte.
    findFile(folder, namesOf(split, what), {
      fits: (path) => !isOther(name, path),
      matches: (path) => {
        if (!says.test(path.slice(folder.length))) return false;
        const [zero, zeroToo, type, dimensions] = startOf(path, 4);
        return zero === 0 && zeroToo === 0 && type === 8 &&
          dimensions === (what === "images" ? 3 : 1);
      },
    })
  );
}

/** Whether a path says that it is of another set of the same form. */
function isOther(name: keyof typeof CLASSES, path: string): boolean {
  const fashion = /fashion/i.test(path);
  return name === "fashion-mnist"
    ? /mnist/i.test(path) && !fashion
    : fashion || /[a-z]mnist|kuzushiji/i.test(path);
}

function namesOf(split: "train" | "test", what: typeof WHAT[number]) {
  const prefix = split === "train" ? "train" : "t10k";
  const name = `${prefix}-${what}-${what === "images" ? "idx3" : "idx1"}-ubyte`;
  return [name, `${name}.gz`];
}
