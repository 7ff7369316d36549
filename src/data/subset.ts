import { assertIndex } from "./_memory_dataset.ts";
import type { Dataset, SplitName } from "./dataset.ts";

/**
 * Some images of a data set, as a data set.
 *
 * @param dataset Which.
 * @param indices Numbers of its images, in the order that they are to have.
 * @param options `split`: which split they are. Default: the same.
 */
export function subset(
  dataset: Dataset,
  indices: ArrayLike<number>,
  options: { split?: SplitName } = {},
): Dataset {
  const chosen = Uint32Array.from(indices);
  const labels = Int32Array.from(chosen, (index) => dataset.labels[index]!);
  const part: Dataset = {
    name: dataset.name,
    split: options.split ?? dataset.split,
    classes: dataset.classes,
    height: dataset.height,
    width: dataset.width,
    channels: dataset.channels,
    length: chosen.length,
    labels,
    ...(dataset.targets
      ? {
        targets: rowsOf(dataset.targets, chosen, dataset.classes.length),
      }
      : {}),
    notes: dataset.notes ?? [],
    get unreadable() {
      return dataset.unreadable ?? [];
    },
    ...(dataset.boxes
      ? {
        boxes: (index) => dataset.boxes!(chosen[assertIndex(part, index)]!),
      }
      : {}),
    read: async (indices, target) => {
      const whole = Array.from(
        indices,
        (index) => chosen[assertIndex(part, index)]!,
      );
      await dataset.read(whole, target);
      // Those that were found unreadable have lost theirs.
      for (let i = 0; i < indices.length; i++) {
        labels[indices[i]!] = dataset.labels[whole[i]!]!;
      }
    },
  };
  return part;
}

/** Some rows of a matrix. */
function rowsOf(
  matrix: Float32Array,
  indices: Uint32Array,
  columns: number,
): Float32Array {
  const rows = new Float32Array(indices.length * columns);
  indices.forEach((index, i) =>
    rows.set(
      matrix.subarray(index * columns, (index + 1) * columns),
      i * columns,
    )
  );
  return rows;
}
