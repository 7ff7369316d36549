import { CIFAR10_CLASSES } from "../src/data/cifar.ts";
import { writeAtomically } from "../src/_write_atomically.ts";
import { openFolder } from "../src/data/folder.ts";
import { GapcamError } from "../src/error.ts";

const SIDE = 32;
const PIXELS = SIDE * SIDE;
const RECORD = 1 + 3 * PIXELS;
const CHUNK = 500;

/**
 * Writes CIFAR-10's binary files from pictures in folders (`train/CLASS/FILE`,
 * `test/CLASS/FILE`), images going round the classes.
 *
 * @param source The pictures.
 * @param folder Where `cifar-10-batches-bin` is to be.
 * @throws {GapcamError} If the classes are not CIFAR-10's, a file cannot be
 * read or nothing can be written.
 */
export async function writeCifar10(
  source: string,
  folder: string,
): Promise<void> {
  const target = `${folder}/cifar-10-batches-bin`;
  for (const split of ["train", "test"] as const) {
    using dataset = openFolder(split, source, {
      size: SIDE,
      strict: true,
      cacheBytes: 0,
    });
    if (dataset.classes.join() !== CIFAR10_CLASSES.join()) {
      throw new GapcamError(
        "bad-data",
        `Cannot convert ${source}: found the classes ${
          dataset.classes.join(", ")
        }, expected CIFAR-10's: ${CIFAR10_CLASSES.join(", ")}`,
      );
    }
    const files = split === "test"
      ? ["test_batch.bin"]
      : [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
    if (dataset.length < files.length) {
      throw new GapcamError(
        "bad-data",
        `Cannot convert ${source}: found ${dataset.length} images to train ` +
          `on, expected at least ${files.length}`,
      );
    }
    for (const [part, name] of files.entries()) {
      const from = Math.floor(part * dataset.length / files.length);
      const to = Math.floor((part + 1) * dataset.length / files.length);
      const records = await recordsOf(dataset, from, to);
      await writeAtomically(`${target}/${name}`, [records], {
        makeFolder: true,
      });
    }
  }
}

/** A label byte and three planes for each of the images `from` to `to - 1`. */
async function recordsOf(
  dataset: ReturnType<typeof openFolder>,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const records = new Uint8Array((to - from) * RECORD);
  const pixels = new Uint8Array(CHUNK * 3 * PIXELS);
  for (let start = from; start < to; start += CHUNK) {
    const count = Math.min(CHUNK, to - start);
    await dataset.read(
      Array.from({ length: count }, (_, i) => start + i),
      pixels,
    );
    for (let i = 0; i < count; i++) {
      const at = (start + i - from) * RECORD;
      records[at] = dataset.labels[start + i]!;
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        for (let channel = 0; channel < 3; channel++) {
          records[at + 1 + channel * PIXELS + pixel] =
            pixels[(i * PIXELS + pixel) * 3 + channel]!;
        }
      }
    }
  }
  return records;
}
