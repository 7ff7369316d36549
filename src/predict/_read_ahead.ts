import { BatchLoader } from "../data/batch_loader.ts";
import { DecodePool } from "../data/_decode_pool.ts";
import type { Dataset } from "../data/dataset.ts";
import { toGrey } from "../image/to_grey.ts";

/** One image of a batch: what it is called, and its label or why there is none. */
export interface ReadImage {
  readonly image: string | number;
  readonly label?: number;
  /** Why it could not be read. */
  readonly reason?: string;
}

/** Images side by side as u8 NHWC, and what each of them is. */
export interface ReadBatch {
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
    yield { pixels: batch.images, images };
  }
}

function unreadable(dataset: Dataset, index: number): string {
  const path = (dataset as { paths?: readonly string[] }).paths?.[index];
  const known = dataset.unreadable?.find((file) => file.path === path);
  return known?.reason ??
    `Cannot read image ${index} of ${dataset.name}: it has no label`;
}

/** How files become images of one size. */
export interface FileOptions {
  imageSize: number;
  channels: 1 | 3;
  batchSize: number;
  workers: number;
  fit: "crop" | "stretch";
}

/** Files in order, decoded by threads, the next batch while one is used. */
export async function* readFiles(
  paths: readonly string[],
  options: FileOptions,
): AsyncGenerator<ReadBatch, void, void> {
  const { imageSize, channels, batchSize, workers, fit } = options;
  const pool = new DecodePool(imageSize, workers, { fit });
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
    return { images, pixels: channels === 1 ? toGrey(rgb).data : pixels };
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
