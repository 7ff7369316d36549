import { parentPort, type TransferListItem } from "node:worker_threads";
import { augmentImages, type AugmentImagesOptions } from "./augment_images.ts";

/** Images to change. A bare buffer: see the decoder's jobs. */
export interface AugmentJob {
  id: number;
  images: ArrayBuffer;
  shape: { height: number; width: number; channels: number };
  options: AugmentImagesOptions;
}

/** The images back, and what went wrong, if something did. */
export interface AugmentedJob {
  id: number;
  images: ArrayBuffer;
  failure?: string;
}

parentPort?.on("message", ({ id, images, shape, options }: AugmentJob) => {
  const done: AugmentedJob = { id, images };
  try {
    augmentImages(new Uint8Array(images), shape, options);
  } catch (error) {
    done.failure = error instanceof Error ? error.message : `${error}`;
  }
  parentPort!.postMessage(done, [images as TransferListItem]);
});
