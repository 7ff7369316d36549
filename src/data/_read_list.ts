import { osReason } from "../_files.ts";
import { printable, printableValue } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import { parseCsv } from "./_parse_csv.ts";
import { type SplitKind, splitKind } from "./_split_names.ts";

/** What is wrong is named so often. */
const MOST_NAMED = 5;

/** What is between several labels of an image in a CSV file. */
const BETWEEN_LABELS = "|";

/** One image of a list. */
export interface ListedImage {
  line: number;
  path: string;
  labels: string[];
  split: SplitKind | undefined;
}

/** A list as it was read. */
export interface ImageList {
  images: ListedImage[];
  /** Whether images have any number of labels, not one each. */
  several: boolean;
}

/**
 * Reads a list of images.
 *
 * @throws {GapcamError} If a row cannot be read, or there is none.
 */
export function readList(list: string): ImageList {
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
  const { images, several } = /(jsonl|ndjson)$/i.test(list)
    ? jsonRows(text, problems)
    : csvRows(text, { list, problems });
  if (problems.length > 0) {
    refuseList(
      list,
      problems,
      several ? "a path and a list of labels" : "a path and one label",
    );
  }
  if (images.length === 0) refuseList(list, ["no rows"], "some");
  return { images, several };
}

function csvRows(
  text: string,
  { list, problems }: { list: string; problems: string[] },
): ImageList {
  const { rows, openQuote } = parseCsv(text, /tsv$/i.test(list) ? "\t" : ",");
  if (openQuote !== undefined) {
    refuseList(
      list,
      [`a quote in line ${openQuote} that nothing closes`],
      "its end",
    );
  }
  const header = (rows.shift()?.values ?? [])
    .map((name) => name.trim().toLowerCase());
  const [path, label, labels, split] = ["path", "label", "labels", "split"]
    .map((name) => header.indexOf(name)) as [number, number, number, number];
  if (path < 0 || (label < 0) === (labels < 0)) {
    refuseList(
      list,
      [`the columns ${printable(header.join(", ")) || "none"}`],
      "path, and label or labels, in the first line, perhaps split",
    );
  }
  const several = labels >= 0;
  const images = rows.flatMap(({ line, values }) => {
    if (values.length !== header.length) {
      problems.push(`${values.length} values in line ${line}`);
      return [];
    }
    return imageOf({
      ...{ line, problems, several, path: values[path] },
      labels: several
        ? values[labels]!.split(BETWEEN_LABELS).filter((one) =>
          one.trim() !== ""
        )
        : [values[label]],
      split: split < 0 ? undefined : values[split],
    });
  });
  return { images, several };
}

function jsonRows(text: string, problems: string[]): ImageList {
  let several: boolean | undefined;
  const images = text.split("\n").flatMap((row, i) => {
    if (row.trim() === "") return [];
    const line = i + 1;
    let value: Record<string, unknown> | null;
    try {
      value = JSON.parse(row);
    } catch {
      problems.push(`no JSON in line ${line}`);
      return [];
    }
    const { path, label, labels, split } = value ?? {};
    // The first row says which it is.
    several ??= labels !== undefined;
    return imageOf({
      ...{ line, problems, several, path, split },
      labels: several ? labels : [label],
    });
  });
  return { images, several: several ?? false };
}

function imageOf({ line, problems, several, path, labels, split }: {
  line: number;
  problems: string[];
  several: boolean;
  path: unknown;
  labels: unknown;
  split: unknown;
}): ListedImage[] {
  const kind = typeof split === "string" ? splitKind(split.trim()) : undefined;
  const names = Array.isArray(labels)
    ? labels.map((label) => typeof label === "number" ? String(label) : label)
    : undefined;
  if (typeof path !== "string" || path.trim() === "") {
    problems.push(`no path in line ${line}`);
  } else if (
    !names?.every((name) => typeof name === "string" && name.trim() !== "")
  ) {
    const found = several
      ? "no list of labels"
      : Array.isArray(names?.[0])
      ? "several labels"
      : "no label";
    problems.push(`${found} in line ${line}`);
  } else if (split !== undefined && split !== null && kind === undefined) {
    problems.push(`the split ${printableValue(split)} in line ${line}`);
  } else {
    const each = new Set(names.map((name: string) => name.trim()));
    return [{ line, path: path.trim(), labels: [...each], split: kind }];
  }
  return [];
}

/** Says what is wrong with a list. */
export function refuseList(
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
