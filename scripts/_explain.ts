/**
 * Explains images of a data set and photographs, one after the other.
 *
 * @module
 */

import { isWhole, scaleRegion } from "../src/cam/_over_region.ts";
import { osReason } from "../src/_files.ts";
import { GapcamError } from "../src/error.ts";
import { definedOf } from "../src/_defined_of.ts";
import { fitWithin } from "../src/image/_fit_within.ts";
import { resizeRegion } from "../src/image/_resize_window.ts";
import { fitImage, type Region } from "../src/image/fit_image.ts";
import {
  fitPhotograph,
  type FittedPhotograph,
} from "../src/image/fit_photograph.ts";
import type { Dataset } from "../src/data/dataset.ts";
import type { Image } from "../src/image/image.ts";
import { resizeBilinear } from "../src/image/resize_bilinear.ts";
import { toGrey } from "../src/image/to_grey.ts";
import { toRgb } from "../src/image/to_rgb.ts";
import { KeptPrograms } from "../src/nn/_kept_programs.ts";
import { strideOf } from "../src/nn/stride_of.ts";
import { parseIndices } from "./_indices.ts";
import { openImages, type OpenRun } from "./_network.ts";
import type { NetworkChoice } from "./_network_flags.ts";
import { freshName } from "./_fresh_name.ts";
import type { FitChoice } from "./_photographs.ts";
import { imageOf } from "./_pictures.ts";
import {
  type MethodChoice,
  openExplainer,
  type Shown,
  standingSentence,
} from "./_shown.ts";

/** One image and what the network made of it. */
export interface Subject {
  /** What its files are called. */
  name: string;
  /** What its caption calls it. */
  title: string;
  /** Its number in the data set, or its path. */
  index: number | string;
  /** The class that its label says; undefined for a photograph. */
  label: number | undefined;
  explanation: Shown;
  /** The sides of the image or photograph itself. */
  picture: { height: number; width: number };
  /** The part of it that the network looked at. */
  looked: Region;
  /** What is drawn. */
  plain: Image;
  /** The part of it that is drawn. */
  view: Region;
  /** The part of it that the network looked at; undefined for all. */
  region: Region | undefined;
  /** A sentence about that part. */
  note: string | undefined;
}

/** An image that could not be explained, and why. */
export interface Failure {
  index: number | string;
  reason: string;
}

/** Images of the run's data set, or of another. */
export interface DatasetSource {
  kind: "dataset";
  /** Their numbers, such as `0-63` or `1,5,8-10`; all if undefined. */
  indices?: string;
  /** How many images the data set has at most. */
  limit?: number;
}

/** Photographs, and how they are shown to the network. */
export interface PhotographSource extends FitChoice {
  kind: "photographs";
  files: readonly string[];
  /** Whether the whole photograph is drawn, not only what the network saw. */
  fullSize: boolean;
  /** Reads one; from its file if undefined. */
  read?: (path: string) => Promise<Image>;
}

/** How images are explained. */
export interface SubjectOptions extends MethodChoice {
  /** The class to explain; the predicted one if undefined. */
  classIndex: number | undefined;
  /** The class that it is compared with. */
  against?: number | undefined;
  /** Of how many of the likeliest classes there is a map too. */
  top?: number | undefined;
  /** Height and width of a picture. */
  size: number;
}

/** Images to come: how many, and what became of each, in order. */
export interface Subjects {
  count: number;
  each: AsyncIterable<Subject | Failure>;
}

/** Explains images of the data set that was chosen with the network. */
export async function explainDataset(
  run: OpenRun,
  source: DatasetSource,
  options: SubjectOptions & { network: NetworkChoice },
): Promise<Subjects> {
  const dataset = await openImages(
    options.network,
    run.checkpoint,
    source.limit,
  );
  const indices = parseIndices(
    source.indices ?? `0-${dataset.length - 1}`,
    dataset.length,
  );
  // Other images than those of the run's test split have names of their own.
  const prefix = [
    dataset.name === run.checkpoint.dataset.name ? "" : `${dataset.name}-`,
    options.network.split === "train" ? "train-" : "",
  ].join("");
  async function* each(): AsyncGenerator<Subject | Failure> {
    const batchSize = Math.min(indices.length, 16);
    using explainer = await openExplainer(run.network, {
      ...run.input,
      ...methodOption(options),
      eachClass: hasSeveral(run),
      batchSize,
      image: dataset,
    });
    const { height, width, channels } = dataset;
    const pixels = new Uint8Array(batchSize * height * width * channels);
    for (let start = 0; start < indices.length; start += batchSize) {
      const some = indices.slice(start, start + batchSize);
      await dataset.read(some, pixels);
      const explanations = await explainer.explain(
        pixels.subarray(0, some.length * height * width * channels),
        classOption(options),
      );
      for (const [i, index] of some.entries()) {
        // The loader marks what it cannot read with no label.
        if (dataset.labels[index]! < 0) {
          yield {
            index,
            reason: `Cannot explain image ${index} of ${dataset.name}: its ` +
              "file cannot be read",
          };
          continue;
        }
        yield {
          name: `${prefix}${index}`,
          title: `image ${index}`,
          index,
          label: shownClass(dataset, index, explanations[i]!.predicted),
          explanation: explanations[i]!,
          picture: { height, width },
          looked: { top: 0, left: 0, height, width },
          view: { top: 0, left: 0, height, width },
          plain: resizeBilinear(
            imageOf(dataset, pixels, i),
            options.size,
            options.size,
          ),
          region: undefined,
          note: noteOf(explanations[i]!, undefined),
        };
      }
    }
  }
  return { count: indices.length, each: each() };
}

/** Explains photographs: each becomes what the network expects. */
export function explainPhotographs(
  run: OpenRun,
  source: PhotographSource,
  options: SubjectOptions,
): Subjects {
  const paths = source.files;
  async function* each(): AsyncGenerator<Subject | Failure> {
    // Only here, because the decoders take a while to load.
    const { readImage } = await import("../src/image/read_image.ts");
    const { training, model } = run.checkpoint;
    const channels = training.mean.length as 1 | 3;
    using explainers = new KeptPrograms((size) =>
      openExplainer(run.network, {
        ...run.input,
        ...methodOption(options),
        eachClass: hasSeveral(run),
        inputSize: size,
        batchSize: 1,
        image: { ...size, channels },
      })
    );
    const { fit, background } = source;
    const how = { fit, stride: strideOf(model) };
    const names = new Set<string>();
    // The next one is decoded while the device works.
    const read = (path: string | undefined) =>
      path === undefined
        ? undefined
        : (source.read?.(path) ?? readImage(path, { background })).catch(
          reasonOf,
        );
    let next = read(paths[0]);
    for (const [i, path] of paths.entries()) {
      const photograph = await next!;
      next = read(paths[i + 1]);
      if (typeof photograph === "string") {
        yield { index: path, reason: photograph };
        continue;
      }
      let fitted: FittedPhotograph;
      try {
        fitted = fitPhotograph(photograph, training, {
          ...how,
          source: path,
        });
      } catch (error) {
        yield { index: path, reason: reasonOf(error) };
        continue;
      }
      const { image, region } = fitted;
      const input = channels === 1 ? toGrey(image) : toRgb(image);
      const explainer = await explainers.at({
        height: image.height,
        width: image.width,
      });
      const [explanation] = await explainer.explain(
        input.data,
        classOption(options),
      );
      const picture = shown(photograph, region, { ...options, ...source });
      yield {
        name: freshName(path, names),
        title: path.slice(path.lastIndexOf("/") + 1),
        index: path,
        label: undefined,
        explanation: explanation!,
        picture: { height: photograph.height, width: photograph.width },
        looked: region,
        ...picture,
        note: noteOf(explanation!, picture.note),
      };
    }
  }
  return { count: paths.length, each: each() };
}

/** What is drawn of a photograph, and what part of it the network saw. */
function shown(
  photograph: Image,
  region: Region,
  { size, fit, fullSize }: SubjectOptions & PhotographSource,
): Pick<Subject, "plain" | "view" | "region" | "note"> {
  const { height, width } = photograph;
  const whole = isWhole(region, photograph);
  const part = whole
    ? undefined
    : `The network looked at the middle, ${Math.round(region.width)} x ${
      Math.round(region.height)
    } pixels of ${width} x ${height}`;
  const all = { top: 0, left: 0, height, width };
  if (fullSize) {
    return {
      plain: photograph,
      view: all,
      region: whole && fit !== "pad" ? undefined : region,
      note: part && `${part}; the rest is dimmed`,
    };
  }
  if (fit === "pad" || fit === "whole") {
    const plain = fitWithin(photograph, size);
    return {
      plain,
      view: all,
      region: scaleRegion(region, photograph, plain),
      note: undefined,
    };
  }
  const square = { height: size, width: size };
  return {
    plain: fit === "stretch"
      ? fitImage(photograph, size, size, { fit })
      : resizeRegion(photograph, region, square),
    view: fit === "stretch" ? all : region,
    region: undefined,
    note: part,
  };
}

function classOption({ classIndex, against, top }: SubjectOptions) {
  return definedOf({ classIndex, against, top });
}

function methodOption({ method, layers }: SubjectOptions): MethodChoice {
  return { method, layers };
}

/** What a method's map is, and what part of a photograph was seen. */
function noteOf(
  { made, all }: Shown,
  note: string | undefined,
): string | undefined {
  if (!made || all) return note;
  return [standingSentence(made), note ?? ""].filter((text) => text)
    .join(". ");
}

function reasonOf(error: unknown): string {
  return error instanceof GapcamError ? error.message : osReason(error);
}

/** Whether images may show several classes, each with a sigmoid of its own. */
function hasSeveral({ checkpoint }: OpenRun): boolean {
  return checkpoint.training.loss === "binary";
}

/** The class of an image; of several the one that was answered, if it is there. */
function shownClass(
  { labels, targets, classes }: Dataset,
  index: number,
  predicted: number,
): number {
  const there = targets && targets[index * classes.length + predicted]! > 0.5;
  return there ? predicted : labels[index]!;
}
