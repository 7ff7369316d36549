import { GapcamError } from "../../error.ts";
import type { Dataset, LabelledBox } from "../../data/dataset.ts";
import type { Region } from "../../image/fit_image.ts";

/** A map to be made: of which image of a batch, and of which class. */
export interface Question {
  /** Number in the batch. */
  readonly image: number;
  readonly classIndex: number;
  /** Whether the class is the network's answer. */
  readonly answer: boolean;
  /** Where the class lies; none if that is unknown or not asked. */
  readonly boxes: readonly Region[];
  /** Where other classes lie. */
  readonly others: readonly Region[];
}

/**
 * What is asked of a batch: the map of each image's answer, and of each class
 * whose place in it is known.
 *
 * @throws {GapcamError} If a box is not within its image, or of no class.
 */
export function questionsOf(
  answers: readonly number[],
  options: {
    /** Numbers of the images in the data set. */
    indices: readonly number[];
    /** Where boxes come from; undefined if they are not asked. */
    dataset: Dataset | undefined;
  },
): Question[] {
  const { indices, dataset } = options;
  return answers.flatMap((answer, image) => {
    const boxes = dataset ? boxesOf(dataset, indices[image]!) : [];
    const classes = new Set([answer, ...boxes.map(({ label }) => label)]);
    return Array.from(classes, (classIndex): Question => ({
      image,
      classIndex,
      answer: classIndex === answer,
      boxes: boxes.filter(({ label }) => label === classIndex),
      others: boxes.filter(({ label }) => label !== classIndex),
    }));
  });
}

function boxesOf(dataset: Dataset, index: number): readonly LabelledBox[] {
  const boxes = dataset.boxes!(index);
  const { height, width, classes } = dataset;
  for (const box of boxes) {
    const { top, left, label } = box;
    const refuse = (found: string, expected: string): never => {
      throw new GapcamError(
        "bad-data",
        `Cannot point into image ${index} of ${dataset.name}: found ${found}, ` +
          `expected ${expected}`,
      );
    };
    if (
      !(top >= 0 && left >= 0 && box.height > 0 && box.width > 0 &&
        top + box.height <= height && left + box.width <= width)
    ) {
      refuse(
        `a box of ${box.width} x ${box.height} pixels at column ${left}, row ` +
          `${top}`,
        `one within the picture of ${width} x ${height}`,
      );
    }
    if (!(Number.isInteger(label) && label >= 0 && label < classes.length)) {
      refuse(`a box of class ${label}`, `0 to ${classes.length - 1}`);
    }
  }
  return boxes;
}

/** The pixels of each question's image, side by side. */
export function pixelsOf(
  pixels: Uint8Array,
  questions: readonly Question[],
  bytes: number,
): Uint8Array {
  const all = new Uint8Array(questions.length * bytes);
  questions.forEach(({ image }, i) =>
    all.set(pixels.subarray(image * bytes, (image + 1) * bytes), i * bytes)
  );
  return all;
}
