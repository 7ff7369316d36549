import { BatchLoader } from "../data/batch_loader.ts";
import { DecodePool } from "../data/_decode_pool.ts";
import type { Dataset } from "../data/dataset.ts";
import { GapcamError } from "../error.ts";
import { fitOptions, fitPhotograph } from "../image/fit_photograph.ts";
import { NoDecoderError } from "../image/_sharp.ts";
import type { Preprocessing } from "../image/preprocessing.ts";
import { toGrey } from "../image/to_grey.ts";
import { toRgb } from "../image/to_rgb.ts";

/** One image of a batch: what it is called, and its label or why there is none. */
export interface ReadImage {
  readonly image: string | number;
  readonly label?: number;
  /** Why it could not be read. */
  readonly reason?: string;
}

/** Images side by side as u8 NHWC, and what each of them is. */
export interface ReadBatch {
  /** Of each image. */
  readonly size: { readonly height: number; readonly width: number };
  readonly pixels: Uint8Array;
  readonly images: readonly ReadImage[];
}

/** The images of a data set in order, the next batch read while one is used. */
export async function* readDataset(
  dataset: Dataset,
  batchSize: number,
): AsyncGenerator<ReadBatch, void, void> {
  for await (const batch of new BatchLoader(dataset, { batchSize }).epoch(0)) {
    const images = Array.from(batch.indices, (index, i): ReadImage => {
      const label = batch.labels[i]!;
      if (label >= 0) return { image: index, label };
      return { image: index, reason: unreadable(dataset, index) };
    });
    yield {
      size: { height: dataset.height, width: dataset.width },
      pixels: batch.images,
      images,
    };
  }
}

function unreadable(dataset: Dataset, index: number): string {
  const path = (dataset as { paths?: readonly string[] }).paths?.[index];
  const known = dataset.unreadable?.find((file) => file.path === path);
  return known?.reason ??
    `Cannot read image ${index} of ${dataset.name}: it has no label`;
}

/** What files become. */
interface FileOptions {
  preprocessing: Preprocessing;
  channels: 1 | 3;
  /** What transparent pixels are laid on. */
  background: readonly [number, number, number];
}

/** Files in order, decoded by threads, the next batch while one is used. */
export async function* readFiles(
  paths: readonly string[],
  options: FileOptions & {
    fit: "crop" | "stretch" | "pad";
    batchSize: number;
    workers: number;
  },
): AsyncGenerator<ReadBatch, void, void> {
  const { preprocessing, channels, batchSize, workers, fit } = options;
  const { imageSize } = preprocessing;
  const pool = new DecodePool(imageSize, workers, {
    ...fitOptions(preprocessing, fit),
    background: options.background,
  });
  const bytes = imageSize * imageSize * 3;
  // One batch in use, one being filled.
  const buffers = [0, 1].map(() => new Uint8Array(batchSize * bytes));
  const decode = async (number: number) => {
    const some = paths.slice(number * batchSize, (number + 1) * batchSize);
    const pixels = buffers[number % 2]!.subarray(0, some.length * bytes);
    const failures = new Map(await pool.decode(some, pixels));
    const images = some.map((path, i): ReadImage => {
      const reason = failures.get(i);
      return { image: path, ...(reason === undefined ? {} : { reason }) };
    });
    const height = some.length * imageSize;
    const rgb = {
      height,
      width: imageSize,
      channels: 3,
      data: pixels,
    } as const;
    const size = { height: imageSize, width: imageSize };
    return { size, images, pixels: channels === 1 ? toGrey(rgb).data : pixels };
  };
  try {
    const steps = Math.ceil(paths.length / batchSize);
    let next = decode(0);
    for (let step = 0; step < steps; step++) {
      const batch = await next;
      if (step + 1 < steps) {
        next = decode(step + 1);
        // Thrown where it is awaited, which a consumer that leaves never does.
        next.catch(() => {});
      }
      yield batch;
    }
  } finally {
    pool.close();
  }
}

/** Files in order, each in its own proportions, the next while one is used. */
export async function* readWhole(
  paths: readonly string[],
  options: FileOptions & { stride: { height: number; width: number } },
): AsyncGenerator<ReadBatch, void, void> {
  const { preprocessing, channels, background, stride } = options;
  // Only here, because decoders take a while to load.
  const { readImage } = await import("../image/read_image.ts");
  const read = async (path: string): Promise<ReadBatch> => {
    try {
      const photograph = await readImage(path, { background });
      const { image } = fitPhotograph(photograph, preprocessing, {
        fit: "whole",
        stride,
        source: path,
      });
      const { height, width } = image;
      const { data } = channels === 1 ? toGrey(image) : toRgb(image);
      return {
        size: { height, width },
        pixels: data,
        images: [{ image: path }],
      };
    } catch (error) {
      if (!isOneFiles(error)) throw error;
      const images = [{ image: path, reason: error.message }];
      return { size: stride, pixels: new Uint8Array(), images };
    }
  };
  let next = read(paths[0]!);
  for (const path of paths.slice(1)) {
    const batch = await next;
    next = read(path);
    next.catch(() => {});
    yield batch;
  }
  yield await next;
}

/** Whether an error is about a file, and not about all of them. */
function isOneFiles(error: unknown): error is GapcamError {
  return error instanceof GapcamError && error.code !== "not-allowed" &&
    !(error instanceof NoDecoderError);
}
