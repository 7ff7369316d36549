/**
 * Explains images of a data set and photographs, and draws their maps.
 *
 * @module
 */

import { globSync } from "node:fs";
import { overlayCam } from "../src/cam/overlay_cam.ts";
import { GapcamError } from "../src/error.ts";
import { Explainer, type Explanation } from "../src/explain/explainer.ts";
import type { ColormapName } from "../src/image/colormap.ts";
import { fitImage } from "../src/image/fit_image.ts";
import type { Image } from "../src/image/image.ts";
import { resizeBilinear } from "../src/image/resize_bilinear.ts";
import { toRgb } from "../src/image/to_rgb.ts";
import { userPath } from "./_command.ts";
import { parseIndices } from "./_indices.ts";
import { type NetworkFlags, openImages, type OpenRun } from "./_network.ts";
import { imageOf } from "./_pictures.ts";

/** One image, what the network made of it, and its pictures. */
export interface Subject {
  /** What its files are called. */
  name: string;
  /** Its number in the data set, or its path. */
  index: number | string;
  /** The class that its label says; undefined for a photograph. */
  label: number | undefined;
  explanation: Explanation;
  plain: Image;
  cam: Image;
}

/** How images are explained and drawn. */
export interface DrawOptions {
  flags: NetworkFlags & {
    index: number | undefined;
    indices: string | undefined;
    alpha: number | undefined;
    colormap: string | undefined;
    fit: string | undefined;
    "full-size": boolean;
  };
  /** The class to explain; the predicted one if left out. */
  classIndex: number | undefined;
  /** Height and width of a picture. */
  size: number;
}

/** Explains the images of the data set that flags name. */
export async function explainDataset(
  run: OpenRun,
  options: DrawOptions,
): Promise<Subject[]> {
  const { flags, size } = options;
  const dataset = await openImages(flags, run.checkpoint);
  const indices = parseIndices(
    flags.indices ?? String(flags.index ?? 3),
    dataset.length,
  );
  const batchSize = Math.min(indices.length, 16);
  using explainer = await Explainer.create(run.network, {
    ...run.input,
    batchSize,
    image: dataset,
  });
  const subjects: Subject[] = [];
  const imageBytes = dataset.height * dataset.width * dataset.channels;
  for (let start = 0; start < indices.length; start += batchSize) {
    const some = indices.slice(start, start + batchSize);
    const pixels = new Uint8Array(batchSize * imageBytes);
    await dataset.read(some, pixels);
    const unread = some.find((index) => dataset.labels[index]! < 0);
    if (unread !== undefined) {
      throw new GapcamError(
        "bad-data",
        `Cannot explain image ${unread} of ${dataset.name}: its file cannot ` +
          "be read",
      );
    }
    const explanations = await explainer.explain(pixels, {
      count: some.length,
      ...classOption(options),
    });
    explanations.forEach((explanation, i) => {
      const image = imageOf(dataset, pixels, i);
      const plain = resizeBilinear(image, size, size);
      subjects.push({
        name: String(some[i]),
        index: some[i]!,
        label: dataset.labels[some[i]!]!,
        explanation,
        plain,
        cam: overlayCam(plain, explanation.map, colours(options)),
      });
    });
  }
  return subjects;
}

/**
 * Explains photographs: each becomes a square as large as the network's
 * images, by cutting out its middle or by stretching.
 */
export async function explainPhotographs(
  run: OpenRun,
  patterns: readonly string[],
  options: DrawOptions,
): Promise<Subject[]> {
  // Only here, because the decoders take a while to load.
  const { readImageFile } = await import("../src/image/read_image_file.ts");
  const { imageSize, mean } = run.checkpoint.training;
  const channels = mean.length as 1 | 3;
  using explainer = await Explainer.create(run.network, {
    ...run.input,
    batchSize: 1,
    image: { height: imageSize, width: imageSize, channels },
  });
  const subjects: Subject[] = [];
  const names = new Set<string>();
  for (const path of new Set(patterns.flatMap(expand))) {
    const photograph = await readImageFile(path);
    const fit = (options.flags.fit ?? "crop") as "crop" | "stretch";
    const input = withChannels(
      fitImage(photograph, imageSize, imageSize, { fit }),
      channels,
    );
    const [explanation] = await explainer.explain(
      input.data,
      classOption(options),
    );
    subjects.push({
      name: freshName(path, names),
      index: path,
      label: undefined,
      explanation: explanation!,
      ...drawPhotograph(photograph, explanation!, { ...options, fit }),
    });
  }
  return subjects;
}

function drawPhotograph(
  photograph: Image,
  explanation: Explanation,
  options: DrawOptions & { fit: "crop" | "stretch" },
): { plain: Image; cam: Image } {
  const { map } = explanation;
  const { fit, size } = options;
  if (!options.flags["full-size"]) {
    const plain = fitImage(photograph, size, size, { fit });
    return { plain, cam: overlayCam(plain, map, colours(options)) };
  }
  if (fit === "stretch") {
    return {
      plain: photograph,
      cam: overlayCam(photograph, map, colours(options)),
    };
  }
  // The network saw the middle square and nothing else; only that is coloured.
  const side = Math.min(photograph.height, photograph.width);
  const middle = fitImage(photograph, side, side);
  const cam = toRgb(photograph);
  const target = { ...cam, data: cam.data.slice() };
  paste(overlayCam(middle, map, colours(options)), target);
  return { plain: photograph, cam: target };
}

/** Copies an RGB image into the middle of another, whence fitImage() cut it. */
function paste(image: Image, target: Image): void {
  const top = halfToEven(target.height - image.height);
  const left = halfToEven(target.width - image.width);
  for (let y = 0; y < image.height; y++) {
    target.data.set(
      image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3),
      ((top + y) * target.width + left) * 3,
    );
  }
}

/** Half of a whole number, rounded to an even one where it lies between two. */
function halfToEven(value: number): number {
  const floor = Math.floor(value / 2);
  return value % 2 === 0 ? floor : floor + floor % 2;
}

function colours(options: DrawOptions) {
  return {
    alpha: options.flags.alpha ?? 0.4,
    colormap: (options.flags.colormap ?? "jet") as ColormapName,
  };
}

function classOption(options: DrawOptions): { classIndex?: number } {
  return options.classIndex === undefined
    ? {}
    : { classIndex: options.classIndex };
}

/** Turns RGB into grey and grey into RGB, as the network needs it. */
function withChannels(image: Image, channels: 1 | 3): Image {
  if (image.channels === channels) return image;
  if (channels === 3) return toRgb(image);
  const { height, width } = image;
  const { data } = toRgb(image);
  const grey = new Uint8Array(height * width);
  for (let i = 0; i < grey.length; i++) {
    // ITU-R BT.601, as Pillow's convert("L").
    grey[i] = (19595 * data[3 * i]! + 38470 * data[3 * i + 1]! +
      7471 * data[3 * i + 2]! + 0x8000) >> 16;
  }
  return { height, width, channels: 1, data: grey };
}

/** The files that a path or a pattern such as `photos/*.jpg` names, in order. */
function expand(pattern: string): string[] {
  const path = userPath(pattern);
  if (!/[*?[{]/.test(pattern)) return [path];
  try {
    // A file may be called so.
    if (Deno.statSync(path).isFile) return [path];
  } catch {
    // It is a pattern.
  }
  const files = globSync(path).map(String).sort();
  if (files.length > 0) return files;
  throw new GapcamError(
    "not-found",
    `Cannot find photographs: no file fits ${JSON.stringify(pattern)}`,
  );
}

/** A file's name without folder and ending, told apart from earlier ones. */
function freshName(path: string, taken: Set<string>): string {
  const base = path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]+$/, "");
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
  taken.add(name);
  return name;
}
