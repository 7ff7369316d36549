import { parentPort, type TransferListItem } from "node:worker_threads";
import { GapcamError, type GapcamErrorCode } from "../error.ts";
import { readPictureBytes } from "../image/_picture_bytes.ts";
import { NoDecoderError } from "../image/_sharp.ts";
import { decodeImage } from "../image/decode_image.ts";
import { fitImage, type FitOptions } from "../image/fit_image.ts";
import { toRgb } from "../image/to_rgb.ts";

/** How pictures of any size become squares. */
export interface FitOfFiles extends FitOptions {
  /** What transparent pixels are laid on. Default: white. */
  background?: readonly [number, number, number];
}

/**
 * Files to decode to RGB images of `size` x `size`, side by side in `pixels`.
 * A bare buffer: Deno's `node:worker_threads` walks through every element of a
 * typed array in a message.
 */
export interface DecodeJob {
  id: number;
  paths: string[];
  size: number;
  fit: FitOfFiles;
  pixels: ArrayBuffer;
}

/** The pixels back, and what went wrong: place in the job, reason. */
export interface DecodedJob {
  id: number;
  pixels: ArrayBuffer;
  failures: [number, string][];
  /** What keeps all files from being decoded. */
  fatal?: { code: GapcamErrorCode; message: string };
}

const WHITE = [255, 255, 255] as const;

// One job after the other, so that few pictures are in memory at a time.
let last: Promise<void> = Promise.resolve();

parentPort?.on("message", (job: DecodeJob) => {
  last = last.then(() => decode(job));
});

async function decode(job: DecodeJob): Promise<void> {
  const { id, paths, size, fit } = job;
  const pixels = new Uint8Array(job.pixels);
  const bytes = size * size * 3;
  const done: DecodedJob = { id, pixels: job.pixels, failures: [] };
  for (let i = 0; i < paths.length; i++) {
    try {
      const path = paths[i]!;
      const image = await decodeImage(readPictureBytes(path), {
        source: path,
        background: fit.background ?? WHITE,
      });
      pixels.set(toRgb(fitImage(image, size, size, fit)).data, i * bytes);
    } catch (error) {
      if (error instanceof NoDecoderError || notAllowed(error)) {
        // No file's fault, and the same for all.
        done.fatal = { code: error.code, message: error.message };
        break;
      }
      pixels.fill(0, i * bytes, (i + 1) * bytes);
      const reason = error instanceof Error ? error.message : `${error}`;
      done.failures.push([i, reason]);
    }
  }
  parentPort!.postMessage(done, [job.pixels as TransferListItem]);
}

function notAllowed(error: unknown): error is GapcamError {
  return error instanceof GapcamError && error.code === "not-allowed";
}
