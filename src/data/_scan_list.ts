import { osReason } from "../_files.ts";
import { printable, printableValue } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import { compare } from "./_list_folder.ts";
import { parseCsv } from "./_parse_csv.ts";
import { type FolderScan, goRound, pick } from "./_scan_folder.ts";
import { type SplitKind, splitKind } from "./_split_names.ts";
import type { SplitName } from "./dataset.ts";

/** A file that lists images, by its name. */
export const LIST_FILE = /\.(csv|tsv|jsonl|ndjson)$/i;

/** What is wrong is named so often. */
const MOST_NAMED = 5;

/** One image of a list. */
interface ListedImage {
  line: number;
  path: string;
  label: string;
  split: SplitKind | undefined;
}

/**
 * Finds the images of a split in a list: rows of path and label, perhaps with a
 * split. Paths are relative to the list.
 *
 * @throws {GapcamError} If a row cannot be read, a label is of no image to train
 * on, or there is no such split.
 */
export function scanList(
  split: SplitName,
  list: string,
  options: { testFraction?: number; seed: number },
): FolderScan {
  const images = readList(list);
  const has = (kind: SplitKind) => images.some((one) => one.split === kind);
  const listed = has("train") || has("test") || has("validation");
  const { testFraction } = options;
  if (listed && images.some((one) => one.split === undefined)) {
    refuse(
      list,
      images.filter((one) => one.split === undefined)
        .map(({ line }) => `line ${line} without a split`),
      "one in each row, or in none",
    );
  }
  const own = has("test") || has("validation");
  if (own && testFraction !== undefined) {
    refuse(list, ["a split to test on"], "none with a test fraction");
  }
  const training = images.filter((one) =>
    one.split === undefined || one.split === "train"
  );
  const classes = classesOf(training);
  const strange = images.filter(({ label }) => !classes.includes(label));
  if (strange.length > 0) {
    refuse(
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
      refuse(list, [`a test fraction of ${fraction}`], "one between 0 and 1");
    }
    wanted = classes.flatMap((name) => {
      const of = training.filter(({ label }) => label === name);
      const chosen = new Set(
        pick([...new Set(of.map(({ path }) => path))], split, {
          fraction,
          seed: options.seed,
        }),
      );
      return of.filter(({ path }) => chosen.has(path));
    });
  }
  if (wanted.length === 0) {
    refuse(list, ["no images for this split"], "some");
  }
  const folder = list.slice(0, list.lastIndexOf("/") + 1);
  const files = goRound(
    classes.map((name) =>
      wanted.filter(({ label }) => label === name)
        .map(({ path }) => path.startsWith("/") ? path : folder + path)
    ),
  );
  const notes = own ? [] : [
    `${list} has no split to test on: ${
      Number((100 * fraction).toPrecision(3))
    } % of each class is tested on`,
  ];
  return { classes, files, refused: [], notes };
}

/** Numbers in the order of numbers, all else by code units. */
function classesOf(images: readonly ListedImage[]): string[] {
  const names = [...new Set(images.map(({ label }) => label))];
  return names.every((name) => /^\d+$/.test(name))
    ? names.sort((a, b) => Number(a) - Number(b) || compare(a, b))
    : names.sort(compare);
}

function readList(list: string): ListedImage[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(list);
  } catch (error) {
    throw new GapcamError(
      "io",
      `Cannot open the list of images ${list}: ${osReason(error)}`,
      { cause: error },
    );
  }
  const problems: string[] = [];
  const images = /(jsonl|ndjson)$/i.test(list)
    ? jsonRows(text, problems)
    : csvRows(text, { list, problems });
  if (problems.length > 0) refuse(list, problems, "a path and one label");
  if (images.length === 0) refuse(list, ["no rows"], "some");
  return images;
}

function csvRows(
  text: string,
  { list, problems }: { list: string; problems: string[] },
): ListedImage[] {
  const { rows, openQuote } = parseCsv(text, /tsv$/i.test(list) ? "\t" : ",");
  if (openQuote !== undefined) {
    refuse(
      list,
      [`a quote in line ${openQuote} that nothing closes`],
      "its end",
    );
  }
  const header = (rows.shift()?.values ?? [])
    .map((name) => name.trim().toLowerCase());
  const [path, label, split] = ["path", "label", "split"]
    .map((name) => header.indexOf(name));
  if (path! < 0 || label! < 0) {
    refuse(
      list,
      [`the columns ${printable(header.join(", ")) || "none"}`],
      "path and label in the first line, perhaps split",
    );
  }
  return rows.flatMap(({ line, values }) => {
    if (values.length !== header.length) {
      problems.push(`${values.length} values in line ${line}`);
      return [];
    }
    return imageOf({
      ...{ line, problems, path: values[path!], label: values[label!] },
      split: split! < 0 ? undefined : values[split!],
    });
  });
}

function jsonRows(text: string, problems: string[]): ListedImage[] {
  return text.split("\n").flatMap((row, i) => {
    if (row.trim() === "") return [];
    const line = i + 1;
    let value: Record<string, unknown> | null;
    try {
      value = JSON.parse(row);
    } catch {
      problems.push(`no JSON in line ${line}`);
      return [];
    }
    const { path, label, split } = value ?? {};
    return imageOf({
      ...{ line, problems, path, split },
      label: typeof label === "number" ? String(label) : label,
    });
  });
}

function imageOf({ line, problems, path, label, split }: {
  line: number;
  problems: string[];
  path: unknown;
  label: unknown;
  split: unknown;
}): ListedImage[] {
  const kind = typeof split === "string" ? splitKind(split.trim()) : undefined;
  if (typeof path !== "string" || path.trim() === "") {
    problems.push(`no path in line ${line}`);
  } else if (typeof label !== "string" || label.trim() === "") {
    const found = Array.isArray(label) ? "several labels" : "no label";
    problems.push(`${found} in line ${line}`);
  } else if (split !== undefined && split !== null && kind === undefined) {
    problems.push(`the split ${printableValue(split)} in line ${line}`);
  } else {
    return [{ line, path: path.trim(), label: label.trim(), split: kind }];
  }
  return [];
}

function refuse(
  list: string,
  found: readonly string[],
  expected: string,
): never {
  const more = found.length > MOST_NAMED
    ? ` and ${found.length - MOST_NAMED} more`
    : "";
  throw new GapcamError(
    "bad-data",
    `Cannot open the list of images ${list}: found ${
      found.slice(0, MOST_NAMED).join(", ")
    }${more}, expected ${expected}`,
  );
}
