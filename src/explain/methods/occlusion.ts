import { type PlaceProof, placeWeights } from "../../cam/prove_place.ts";
import { GapcamError } from "../../error.ts";
import {
  type Looks,
  type PreparedImage,
  prepareImageMethod,
} from "../_image_method.ts";
import { lookOften } from "../_look_often.ts";
import type { Method, MethodSetup, RawExplanation } from "../method.ts";

/**
 * Occlusion: a grey square is laid over the image, place after place, and the
 * target's value without what it hides is measured. The image is divided into a
 * grid of cells (14 x 14), the square covers two by two; a cell's value is the mean
 * fall of the value over the squares that cover it.
 *
 * Grey is what the network takes as its mean. What is checked: the image without a
 * square has the value that the explained answer has.
 */
export const occlusion: Method = {
  name: "occlusion",
  title: "Occlusion",
  summary: "how far the value falls where a grey square hides the image",
  paper:
    "Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, " +
    "ECCV 2014",
  looksAt: "pixels",
  gradients: false,
  rectified: false,
  standing: "checked",
  claim: "without a square the value is the same",
  passes: "170",
  prepare: (setup) =>
    prepareImageMethod(setup, {
      explain: (image, looks) => explain(image, looks, setup),
    }),
};

interface Square {
  row: number;
  column: number;
  top: number;
  left: number;
  bottom: number;
  right: number;
}

async function explain(
  { values: { shape, data }, target, logits }: PreparedImage,
  { program, buffer }: Looks,
  { settings: { grid }, tolerance }: MethodSetup,
): Promise<RawExplanation> {
  const [, height, width] = shape;
  const rows = Math.min(grid, height);
  const columns = Math.min(grid, width);
  const squares = squaresOf({ rows, columns, height, width });
  const fill = (square: Square | undefined, image: Float32Array) => {
    image.set(data);
    if (!square) return;
    for (let plane = 0; plane < image.length; plane += height * width) {
      for (let y = square.top; y < square.bottom; y++) {
        const start = plane + y * width;
        image.fill(0, start + square.left, start + square.right);
      }
    }
  };
  const values: number[] = [];
  const witnesses: number[] = [];
  await lookOften(program, buffer, {
    count: squares.length + 1,
    // The first is the image itself.
    fill: (i, image) => fill(i === 0 ? undefined : squares[i - 1], image),
    seen(logits, { count }) {
      const sums = program.valueSums(0);
      for (let i = 0; i < count; i++) {
        const { outputs } = program;
        values.push(
          target.valueOf(logits.slice(i * outputs, (i + 1) * outputs)),
        );
        let sum = 0;
        for (let c = 0; c < shape[0]; c++) sum += sums[i * shape[0] + c]!;
        witnesses.push(sum);
      }
    },
  });
  const place = proveSquares({ shape, data }, {
    squares,
    witnesses,
    tolerance,
  });
  const value = target.valueOf(logits);
  const residual = Math.abs(values[0]! - value) /
    Math.max(Math.abs(value), ...logits.map(Math.abs), 1e-30);
  if (!(residual <= tolerance)) {
    throw new GapcamError(
      "bad-data",
      `Cannot explain by occlusion: found a value of ${values[0]} without a ` +
        `square but ${value} before, a residual of ` +
        `${residual.toExponential(2)}, expected at most ${tolerance}`,
    );
  }
  const falls = new Float64Array(rows * columns);
  const covers = new Float64Array(rows * columns);
  squares.forEach(({ row, column }, i) => {
    for (const y of [row, row + 1]) {
      for (const x of [column, column + 1]) {
        if (y >= rows || x >= columns) continue;
        falls[y * columns + x]! += values[0]! - values[i + 1]!;
        covers[y * columns + x]!++;
      }
    }
  });
  return {
    map: {
      height: rows,
      width: columns,
      data: Float32Array.from(falls, (fall, i) => fall / covers[i]!),
    },
    ...{ value, residual, place },
    standing: "checked",
  };
}

/** Squares of two by two cells, or what there is of them. */
function squaresOf({ rows, columns, height, width }: {
  rows: number;
  columns: number;
  height: number;
  width: number;
}): Square[] {
  const squares: Square[] = [];
  const at = (cell: number, cells: number, size: number) =>
    Math.round(Math.min(cell, cells) * size / cells);
  for (let row = 0; row < Math.max(1, rows - 1); row++) {
    for (let column = 0; column < Math.max(1, columns - 1); column++) {
      squares.push({
        row,
        column,
        top: at(row, rows, height),
        left: at(column, columns, width),
        bottom: at(row + 2, rows, height),
        right: at(column + 2, columns, width),
      });
    }
  }
  return squares;
}

/**
 * Proves that each square lay where it was meant to: the device's sum of what it
 * saw over places is that of the image less that of the square.
 */
function proveSquares(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  { squares, witnesses, tolerance }: {
    squares: readonly Square[];
    witnesses: readonly number[];
    tolerance: number;
  },
): PlaceProof {
  const [, height, width] = shape as [number, number, number];
  const area = height * width;
  const weights = placeWeights(height, width);
  const weighed = new Float64Array(area);
  let [all, size] = [0, 0];
  data.forEach((value, i) => {
    const one = value * weights[i % area]!;
    weighed[i % area]! += one;
    all += one;
    size += Math.abs(one);
  });
  let worst: PlaceProof | undefined;
  [undefined, ...squares].forEach((square, i) => {
    let hidden = 0;
    if (square) {
      for (let y = square.top; y < square.bottom; y++) {
        for (let x = square.left; x < square.right; x++) {
          hidden += weighed[y * width + x]!;
        }
      }
    }
    const expected = witnesses[i]!;
    const reconstructed = all - hidden;
    const difference = Math.abs(expected - reconstructed);
    const residual = difference === 0 ? 0 : difference / size;
    if (!worst || residual > worst.residual) {
      worst = { expected, reconstructed, residual, tolerance };
    }
  });
  if (worst!.residual <= tolerance) return worst!;
  throw new GapcamError(
    "bad-data",
    `Cannot prove the places of the squares: found a residual of ` +
      `${worst!.residual.toExponential(2)}, expected at most ${tolerance}`,
  );
}
