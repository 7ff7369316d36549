import { printableValue } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import { compare } from "./_list_folder.ts";
import { type FolderScan, goRound, pick } from "./_scan_folder.ts";
import { type ListedImage, readList, refuseList } from "./_read_list.ts";
import type { SplitKind } from "./_split_names.ts";
import type { SplitName } from "./dataset.ts";

/** A file that lists images, by its name. */
export const LIST_FILE = /\.(csv|tsv|jsonl|ndjson)$/i;

/**
 * Finds the images of a split in a list: rows of path and label, or labels,
 * perhaps with a split. Paths are relative to the list.
 *
 * @throws {GapcamError} If a row cannot be read, a label is of no image to train
 * on, or there is no such split.
 */
export function scanList(
  split: SplitName,
  list: string,
  options: { testFraction?: number; seed: number },
): FolderScan {
  const { images, several } = readList(list);
  const has = (kind: SplitKind) => images.some((one) => one.split === kind);
  const listed = has("train") || has("test") || has("validation");
  const { testFraction } = options;
  if (listed && images.some((one) => one.split === undefined)) {
    refuseList(
      list,
      images.filter((one) => one.split === undefined)
        .map(({ line }) => `line ${line} without a split`),
      "one in each row, or in none",
    );
  }
  const own = has("test") || has("validation");
  if (own && testFraction !== undefined) {
    refuseList(list, ["a split to test on"], "none with a test fraction");
  }
  const training = images.filter((one) =>
    one.split === undefined || one.split === "train"
  );
  const classes = classesOf(training);
  const strange = images.flatMap(({ labels, line }) =>
    labels.filter((label) => !classes.includes(label))
      .map((label) => ({ label, line }))
  );
  if (strange.length > 0) {
    refuseList(
      list,
      strange.map(({ label, line }) =>
        `${printableValue(label)} in line ${line}`
      ),
      "labels that images to train on have too",
    );
  }
  const tested = has("test") ? "test" : "validation";
  const fraction = testFraction ?? 0.2;
  let wanted: ListedImage[];
  if (split === "validation") {
    if (!has("test") || !has("validation")) {
      throw new GapcamError(
        "not-found",
        `Cannot open the list of images ${list}: found no split for ` +
          "validation, expected val beside train and test",
      );
    }
    wanted = images.filter((one) => one.split === "validation");
  } else if (own) {
    wanted = split === "train"
      ? training
      : images.filter((one) => one.split === tested);
  } else {
    if (!(fraction > 0 && fraction < 1)) {
      refuseList(
        list,
        [`a test fraction of ${fraction}`],
        "one between 0 and 1",
      );
    }
    const part = (of: readonly ListedImage[]) => {
      const chosen = new Set(
        pick([...new Set(of.map(({ path }) => path))], split, {
          fraction,
          seed: options.seed,
        }),
      );
      return of.filter(({ path }) => chosen.has(path));
    };
    // An image of several classes is on one side of all of them.
    wanted = several
      ? part(training)
      : classes.flatMap((name) =>
        part(training.filter(({ labels }) => labels[0] === name))
      );
  }
  if (wanted.length === 0) {
    refuseList(list, ["no images for this split"], "some");
  }
  const folder = list.slice(0, list.lastIndexOf("/") + 1);
  const pathOf = ({ path }: ListedImage) =>
    path.startsWith("/") ? path : folder + path;
  const files = several
    ? wanted.map((image) => ({
      path: pathOf(image),
      label: Math.max(0, classes.indexOf(image.labels[0] ?? "")),
    }))
    : goRound(
      classes.map((name) =>
        wanted.filter(({ labels }) => labels[0] === name).map(pathOf)
      ),
    );
  const notes = own ? [] : [
    `${list} has no split to test on: ${
      Number((100 * fraction).toPrecision(3))
    } % of ${several ? "its images" : "each class"} is tested on`,
  ];
  return {
    ...{ classes, files, refused: [], notes },
    ...(several ? { targets: targetsOf(wanted, classes) } : {}),
  };
}

/** Numbers in the order of numbers, all else by code units. */
function classesOf(images: readonly ListedImage[]): string[] {
  const names = [...new Set(images.flatMap(({ labels }) => labels))];
  return names.every((name) => /^\d+$/.test(name))
    ? names.sort((a, b) => Number(a) - Number(b) || compare(a, b))
    : names.sort(compare);
}

/** 1 where an image has a class, else 0. */
function targetsOf(
  images: readonly ListedImage[],
  classes: readonly string[],
): Float32Array {
  const targets = new Float32Array(images.length * classes.length);
  images.forEach(({ labels }, i) => {
    for (const label of labels) {
      targets[i * classes.length + classes.indexOf(label)] = 1;
    }
  });
  return targets;
}
