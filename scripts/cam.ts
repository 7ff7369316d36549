/**
 * `deno task cam`: where a trained network looks.
 *
 * @module
 */

import { printable } from "../src/_printable.ts";
import { GapcamError } from "../src/error.ts";
import { COLORMAP_NAMES } from "../src/image/colormap.ts";
import { hashOf, writePictures } from "./_cam_files.ts";
import { print, report, type Result } from "./_cam_result.ts";
import { ContactSheets } from "./_cam_sheet.ts";
import { lookOf, suffixesOf } from "./_cam_pictures.ts";
import {
  type Flag,
  type FlagValues,
  QUIET_FLAG,
  runCommand,
  userPath,
} from "./_command.ts";
import {
  explainDataset,
  explainPhotographs,
  type Failure,
} from "./_explain.ts";
import { parseClass } from "./_indices.ts";
import { NETWORK_FLAGS, openRun } from "./_network.ts";
import { photographFiles } from "./_photographs.ts";
import { ProgressBar } from "./_progress.ts";
import { shownPath } from "./_runs.ts";

const FLAGS = {
  index: {
    type: "integer",
    min: 0,
    help: "one image of the data set",
    default: "3",
  },
  indices: {
    type: "string",
    help: "several images, such as 0-63 or 1,5,8-10",
    placeholder: "LIST",
  },
  image: {
    type: "string",
    multiple: true,
    help: "photographs instead (PNG, JPEG, WebP, GIF, AVIF, TIFF, BMP): " +
      "files, folders, and patterns as *.jpg",
    placeholder: "FILE",
  },
  fit: {
    type: "string",
    choices: ["crop", "stretch"],
    help: "how a photograph becomes a square",
    default: "crop",
    placeholder: "HOW",
  },
  "full-size": {
    type: "boolean",
    help: "the whole photograph; what was not looked at is dimmed",
  },
  class: {
    type: "string",
    help: "the class to explain, by name or number",
    default: "the predicted one",
    placeholder: "CLASS",
  },
  ...NETWORK_FLAGS,
  out: {
    type: "string",
    help: "folder of the pictures",
    default: "cam in the run's folder",
    placeholder: "FOLDER",
  },
  size: {
    type: "integer",
    min: 8,
    max: 4096,
    help: "height and width of a picture, and of tiles up to 512",
    default: "the network's, at least 224; tiles 128",
    placeholder: "PIXELS",
  },
  alpha: {
    type: "number",
    min: 0,
    max: 1,
    help: "share of the colours in the overlay",
    default: "0.6; signed 0.75; notebook 0.4",
  },
  colormap: {
    type: "string",
    choices: COLORMAP_NAMES,
    help: "which colours",
    default: "inferno; signed bwr; notebook jet",
    placeholder: "NAME",
  },
  signed: {
    type: "boolean",
    help: "show evidence against the class too, around zero",
  },
  style: {
    type: "string",
    choices: ["figure", "notebook"],
    help:
      "a picture for a person, or the overlay alone, stretched to its range",
    default: "figure",
    placeholder: "STYLE",
  },
  raw: { type: "boolean", help: "write each map as numbers too, N-map.npy" },
  quiet: QUIET_FLAG,
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

type Flags = FlagValues<typeof FLAGS>;

/** From so many images on only what the network says is printed of each. */
const MANY = 17;

async function main(flags: Flags): Promise<number> {
  const given = [...flags.image, ...flags.positional];
  assertSources(flags, given);
  using run = await openRun(flags);
  const { classes, progress, modelName, training } = run.checkpoint;
  const classIndex = flags.class === undefined
    ? undefined
    : parseClass(flags.class, classes);
  const size = flags.size ?? Math.max(224, training.imageSize);
  const look = lookOf(flags, { classes, size });
  const options = { flags, classIndex, size };
  const subjects = flags.image.length > 0
    ? explainPhotographs(run, photographFiles(given), options)
    : await explainDataset(run, options);
  const folder = flags.out
    ? userPath(flags.out)
    : `${run.path.slice(0, run.path.lastIndexOf("/"))}/cam`;
  const hash = await hashOf(run.path);
  const origin = { Software: "gapcam", Checkpoint: `sha256 ${hash}` };
  const suffixes = suffixesOf(flags, { classes, classIndex });
  const pictures = { folder, look, suffixes, origin, raw: flags.raw };
  const sheets = new ContactSheets(`${folder}/sheet${suffixes.cam}.png`, {
    look,
    tile: flags.size ?? 128,
    text: origin,
    classIndex,
  });
  const results: Result[] = [];
  const failures: Failure[] = [];
  using bar = new ProgressBar(Deno.stderr);
  const showsBar = !flags.quiet && Deno.stderr.isTerminal() &&
    (flags.json || !Deno.stdout.isTerminal());
  for await (const subject of subjects.each) {
    if ("reason" in subject) failures.push(subject);
    else {
      const result = await writePictures(subject, pictures);
      results.push(result);
      if (!flags.json) print(result, subjects.count < MANY);
      if (subjects.count > 1) await sheets.add(subject);
    }
    if (showsBar) {
      const done = results.length + failures.length;
      bar.draw({
        label: "explaining",
        share: done / subjects.count,
        notes: [`${done} of ${subjects.count}`],
      });
    }
  }
  await sheets.finish();
  bar.clear();
  if (flags.json) {
    console.log(JSON.stringify({
      checkpoint: run.path,
      sha256: hash,
      ...(sheets.files.length > 0
        ? { sheet: sheets.files[0], sheets: sheets.files }
        : {}),
      images: results,
      ...(failures.length > 0 ? { failures } : {}),
    }));
  } else {
    for (const sheet of sheets.files) console.log(shownPath(sheet));
    if (results.length >= MANY) {
      const files = results.reduce((sum, one) => sum + one.files.length, 0);
      console.log(`${files} pictures in ${shownPath(folder)}`);
    }
    // Last, so that what the network says stays the first line.
    console.log(
      `Checkpoint: ${shownPath(run.path)} (${printable(modelName)}, after ` +
        `${progress.step} ${progress.step === 1 ? "step" : "steps"})`,
    );
  }
  report(failures, subjects.count);
  return failures.length > 0 ? 1 : 0;
}

function assertSources(flags: Flags, given: readonly string[]): void {
  const sources = [
    ["--index", flags.index !== undefined],
    ["--indices", flags.indices !== undefined],
    ["--image", flags.image.length > 0],
  ].filter(([, used]) => used).map(([name]) => name);
  if (sources.length > 1) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot take ${sources.join(" and ")} together: give one of them`,
    );
  }
  if (given.length > 0 && flags.image.length === 0) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot tell what ${JSON.stringify(given[0])} is: files follow --image`,
    );
  }
  if (flags["full-size"] && flags.image.length === 0) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot draw images of the data set in full size: they have the " +
        "network's; leave out --full-size, or name photographs with --image",
    );
  }
}

await runCommand({
  name: "cam",
  summary: "Shows where a trained network looks: writes class activation maps.",
  usage: "[FLAGS] [--image FILE...]",
  positional: true,
  flags: FLAGS,
}, main);
