/**
 * Compares what an imported network computes with what the tool computed that
 * exported it: exporters have written wrong weights before.
 *
 * @module
 */

import { GapcamError } from "../src/error.ts";
import type { HostTensor, StateDict } from "../src/host_tensor.ts";
import { openDevice } from "../src/device/open_device.ts";
import type { Model } from "../src/nn/graph_of.ts";
import { logitsOf } from "../src/nn/logits_of.ts";
import { readNpy } from "../src/weights/read_npy.ts";
import type { ImportCheck } from "./_import_job.ts";
import { shownPath } from "./_runs.ts";

/** Wrong weights differ by much more, other ways to round by less. */
const TOLERANCE = 1e-3;

/** The logits themselves, their softmax, or the logarithm of that. */
const KINDS = [
  "logits",
  "probabilities",
  "logarithms of probabilities",
] as const;
type Kind = typeof KINDS[number];

/** What a check came to. */
export interface Checked {
  /** Images that were compared. */
  images: number;
  /** What the file has of the logits. */
  of: Kind;
  /** The greatest difference, over the greatest number that was expected. */
  difference: number;
}

/**
 * Compares a network's logits for given values with those that are expected; with
 * probabilities, where it ended in a softmax, what that makes of the logits.
 *
 * @throws {GapcamError} If a file cannot be read or does not fit, or they differ.
 */
export async function checkImport(
  check: ImportCheck,
  network: { model: Model; state: StateDict },
): Promise<Checked> {
  const { model, state } = network;
  const input = channelsFirst(await readNpy(check.input));
  const expected = await readNpy(check.output);
  using device = openDevice("cpu");
  const found = await logitsOf(device, model, { state, input });
  const [images = 0, classes = 0] = found.shape;
  if (expected.data.length !== found.data.length) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot check the import: ${shownPath(check.output)} is [${
        expected.shape.join(", ")
      }], expected [${images}, ${classes}]`,
    );
  }
  // A network that ended in a softmax is imported without it.
  const best = KINDS.map((of) => compare(expected, found, of))
    .reduce((a, b) => b.difference < a.difference ? b : a);
  const { of, difference, worst, value } = best;
  if (difference <= TOLERANCE) return { images, of, difference };
  throw new GapcamError(
    "bad-data",
    `Cannot import ${shownPath(check.source)}: it computes ${
      value.toPrecision(5)
    } where ${shownPath(check.output)} has ${
      expected.data[worst]!.toPrecision(5)
    } (image ${Math.floor(worst / classes)}, class ${worst % classes}), a ` +
      `difference of ${(100 * difference).toPrecision(3)} % of the largest, ` +
      `expected at most ${100 * TOLERANCE} %; export it again, or check that ` +
      "both files are of this network in inference",
  );
}

/** The result in a sentence. */
export function checkedLine({ images, of, difference }: Checked): string {
  return `Checked: its ${of} for ` +
    `${images} ${images === 1 ? "image" : "images"} are those given, to ` +
    `${difference.toExponential(1)} of the largest`;
}

/** Images as PyTorch has them, of those that TensorFlow takes too. */
function channelsFirst(images: HostTensor): HostTensor {
  const [count = 0, height = 0, width = 0, channels = 0] = images.shape;
  if (images.shape.length !== 4 || channels > 4 || height <= 4) return images;
  const data = new Float32Array(images.data.length);
  const area = height * width;
  for (let i = 0; i < data.length; i++) {
    const channel = i % channels;
    const pixel = Math.floor(i / channels);
    const image = Math.floor(pixel / area);
    data[(image * channels + channel) * area + pixel % area] = images.data[i]!;
  }
  return { shape: [count, channels, height, width], data };
}

/** How far a network's answers are from what is expected, read in one way. */
function compare(
  expected: HostTensor,
  found: HostTensor,
  of: Kind,
): { of: Kind; difference: number; worst: number; value: number } {
  const values = answersOf(found, of);
  let largest = 0, difference = 0, worst = 0;
  expected.data.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    const own = Math.abs(value - values[i]!);
    // What is no number on either side is as far as can be.
    const far = Number.isNaN(own) ? Infinity : own;
    if (far > difference) [difference, worst] = [far, i];
  });
  difference /= largest || 1;
  return { of, difference, worst, value: values[worst]! };
}

function answersOf({ shape, data }: HostTensor, of: Kind): Float32Array {
  if (of === "logits") return data;
  const [images = 0, classes = 0] = shape;
  const result = new Float32Array(data.length);
  for (let i = 0; i < images; i++) {
    const row = data.subarray(i * classes, (i + 1) * classes);
    // Not through probabilities, which may be too small to have a logarithm.
    const shift = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = row.reduce((all, value) => all + Math.exp(value - shift), 0);
    const logarithms = row.map((value) => value - shift - Math.log(sum));
    result.set(
      of === "probabilities" ? logarithms.map(Math.exp) : logarithms,
      i * classes,
    );
  }
  return result;
}
