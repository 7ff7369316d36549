import { parentPort, type TransferListItem } from "node:worker_threads";
import { decodeImage } from "../image/decode_image.ts";
import { fitImage } from "../image/fit_image.ts";
import { toRgb } from "../image/to_rgb.ts";

/**
 * Files to decode to RGB images of `size` x `size`, side by side in `pixels`.
 * A bare buffer: Deno's `node:worker_threads` walks through every element of a
 * typed array in a message.
 */
export interface DecodeJob {
  id: number;
  paths: string[];
  size: number;
  pixels: ArrayBuffer;
}

/** The pixels back, and what went wrong: place in the job, reason. */
export interface DecodedJob {
  id: number;
  pixels: ArrayBuffer;
  failures: [number, string][];
}

parentPort?.on("message", async (job: DecodeJob) => {
  const { id, paths, size } = job;
  const pixels = new Uint8Array(job.pixels);
  const bytes = size * size * 3;
  const failures: [number, string][] = [];
  for (let i = 0; i < paths.length; i++) {
    try {
      const image = await decodeImage(Deno.readFileSync(paths[i]!), {
        source: paths[i]!,
      });
      pixels.set(fitImage(toRgb(image), size, size).data, i * bytes);
    } catch (error) {
      pixels.fill(0, i * bytes, (i + 1) * bytes);
      failures.push([i, error instanceof Error ? error.message : `${error}`]);
    }
  }
  const done: DecodedJob = { id, pixels: job.pixels, failures };
  parentPort!.postMessage(done, [job.pixels as TransferListItem]);
});
