/**
 * What `deno task cam` is to do, as its flags say it.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import type { MethodName } from "../src/explain/method.ts";
import { METHODS } from "../src/explain/methods.ts";
import { COLORMAP_NAMES, type ColormapName } from "../src/image/colormap.ts";
import {
  type Flag,
  type FlagValues,
  QUIET_FLAG,
  userPath,
} from "./_command.ts";
import type { DatasetSource, PhotographSource } from "./_explain.ts";
import {
  assertNoFit,
  FIT_FLAGS,
  fitChoice,
  photographFiles,
} from "./_photographs.ts";
import {
  NETWORK_FLAGS,
  type NetworkChoice,
  networkChoice,
  PHOTOGRAPHER_FLAG,
} from "./_network_flags.ts";

/** Flags of `deno task cam`. */
export const CAM_FLAGS = {
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
  ...FIT_FLAGS,
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
  against: {
    type: "string",
    help: "what speaks for the class rather than for this one, around zero",
    placeholder: "CLASS",
  },
  top: {
    type: "integer",
    min: 1,
    max: 12,
    help: "the maps of so many of the likeliest classes in one picture",
    placeholder: "K",
  },
  method: {
    type: "string",
    choices: [...METHODS.map(({ name }) => name), "all"],
    help:
      "how it is explained (docs/explaining.md); all: every method in one " +
      "picture",
    default: "cam",
    placeholder: "NAME",
  },
  layer: {
    type: "string",
    multiple: true,
    help:
      "the layer whose map is used, or a group's last, as layer4; several " +
      "are averaged",
    default: "the last map",
    placeholder: "NAME",
  },
  boxes: {
    type: "boolean",
    help: "a box around what speaks for the class: its largest part above a " +
      "fifth of the map's maximum",
  },
  ...NETWORK_FLAGS,
  checkpoint: PHOTOGRAPHER_FLAG,
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
  html: {
    type: "string",
    help: "write one page of all images too, with a slider for the colours",
    placeholder: "FILE",
  },
  raw: { type: "boolean", help: "write each map as numbers too, N-map.npy" },
  quiet: QUIET_FLAG,
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

/** How pictures look, where it was said. */
export interface LookChoice {
  /** The notebook's: the overlay alone, each map stretched to its own range. */
  notebook: boolean;
  /** Whether evidence against the class is shown too. */
  signed: boolean;
  alpha: number | undefined;
  colormap: ColormapName | undefined;
  /** Whether two classes are compared, around zero. */
  contrast: boolean;
  /** Of how many of the likeliest classes there is a map; one map if undefined. */
  top: number | undefined;
  /** Whether a box is drawn around what speaks for the class. */
  boxes: boolean;
}

/** How pictures look where nothing was said. */
export const PLAIN_LOOK: LookChoice = {
  notebook: false,
  signed: false,
  alpha: undefined,
  colormap: undefined,
  contrast: false,
  top: undefined,
  boxes: false,
};

/** What to explain, and what to write of it. */
export interface CamJob {
  network: NetworkChoice;
  source: DatasetSource | PhotographSource;
  /** Name or number of the class to explain; each image's answer if undefined. */
  explained: string | undefined;
  /** Name or number of a class that it is compared with. */
  against: string | undefined;
  /** How it is explained; the proved class activation map if undefined. */
  method: MethodName | "all" | undefined;
  /** The layers whose maps are used; the method's own if undefined. */
  layers: readonly string[] | undefined;
  look: LookChoice;
  /** Height and width of a picture; from the network's if undefined. */
  size: number | undefined;
  /** Folder of the pictures; in the run's folder if undefined. */
  out: string | undefined;
  /** One page of all images, to be written as well. */
  html: string | undefined;
  /** Whether maps are written as numbers too. */
  raw: boolean;
  quiet: boolean;
  json: boolean;
}

/**
 * The job that flags describe.
 *
 * @throws {GapcamError} If they contradict each other.
 */
export function camJob(
  flags: FlagValues<typeof CAM_FLAGS> & { debug?: boolean },
): CamJob {
  const patterns = [...flags.image, ...flags.positional];
  assertSources(flags, patterns);
  assertMaps(flags);
  return {
    network: networkChoice(flags),
    source: flags.image.length > 0
      ? {
        kind: "photographs",
        files: photographFiles(patterns),
        ...fitChoice(flags),
        fullSize: flags["full-size"],
      }
      : {
        kind: "dataset",
        indices: flags.indices ?? String(flags.index ?? 3),
      },
    explained: flags.class,
    against: flags.against,
    ...methodChoice(flags),
    look: {
      notebook: flags.style === "notebook",
      signed: flags.signed,
      alpha: flags.alpha,
      colormap: flags.colormap as ColormapName | undefined,
      contrast: flags.against !== undefined,
      top: flags.top,
      boxes: flags.boxes,
    },
    size: flags.size,
    out: flags.out && userPath(flags.out),
    html: flags.html && userPath(flags.html),
    raw: flags.raw,
    quiet: flags.quiet,
    json: flags.json,
  };
}

/** Refuses maps that no picture holds together. */
function assertMaps(flags: FlagValues<typeof CAM_FLAGS>): void {
  if (flags.top === undefined) return;
  const other = [
    ["--class", flags.class !== undefined],
    ["--against", flags.against !== undefined],
    ["--style notebook", flags.style === "notebook"],
  ].find(([, used]) => used);
  if (!other) return;
  throw new GapcamError(
    "invalid-argument",
    `Cannot take --top and ${other[0]} together: the one draws the likeliest ` +
      "classes side by side, the other one map; give one of them",
  );
}

/** The method and its layers. */
function methodChoice(
  flags: FlagValues<typeof CAM_FLAGS>,
): Pick<CamJob, "method" | "layers"> {
  const method = flags.method as MethodName | "all" | undefined;
  const layers = flags.layer.length > 0 ? flags.layer : undefined;
  // The map before the head has a way of its own, which proves more classes.
  const plain = method === undefined || method === "cam";
  const chosen = plain && !layers ? undefined : method ?? "cam";
  const refused = [
    ["--top", chosen !== undefined && flags.top !== undefined],
    ["--boxes", chosen === "all" && flags.boxes],
    ["--html", chosen === "all" && flags.html !== undefined],
    ["--style notebook", chosen === "all" && flags.style === "notebook"],
  ].find(([, used]) => used);
  if (refused) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot take ${
        refused[0]
      } and --method ${chosen} together: give one of ` +
        "them",
    );
  }
  return { method: chosen, layers };
}

function assertSources(
  flags: FlagValues<typeof CAM_FLAGS>,
  given: readonly string[],
): void {
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
  if (flags.image.length === 0) assertNoFit(flags);
  if (flags["full-size"] && flags.image.length === 0) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot draw images of the data set in full size: they have the " +
        "network's; leave out --full-size, or name photographs with --image",
    );
  }
}
