/** Weights of a place's neighbours beside and diagonal to it. */
const BESIDE = 1 / 6;
const DIAGONAL = 1 / 12;

/** How far a solution may be off, as a share of the right-hand side. */
const TOLERANCE = 1e-6;

/** Relaxation of the preconditioner: near 2 for large holes. */
const RELAXATION = 1.9;

/**
 * Fills places with what their neighbours say: each becomes the weighted mean of
 * the eight around it (a sixth for each beside, a twelfth for each diagonal, of
 * those within the image), all at once. A sparse system, solved by conjugate
 * gradients with symmetric successive over-relaxation (Saad, "Iterative Methods
 * for Sparse Linear Systems", sections 9.2 and 10.2).
 *
 * @param image [channels, height, width]; the places are overwritten.
 * @param places Numbers of the places, at least one of which is left out.
 * @param options The image's sides.
 */
export function imputeLinearly(
  image: Float32Array,
  places: Uint32Array,
  { height, width }: { readonly height: number; readonly width: number },
): void {
  // With a border of one place, so that each has eight neighbours.
  const row = width + 2;
  const length = row * (height + 2);
  const unknown = places.map((place) =>
    (Math.floor(place / width) + 1) * row + place % width + 1
  ).sort();
  const within = new Uint8Array(length);
  for (let y = 1; y <= height; y++) {
    within.fill(1, y * row + 1, y * row + 1 + width);
  }
  const offsets = [-row - 1, -row, -row + 1, -1, 1, row - 1, row, row + 1];
  const weights = offsets.map((_, i) =>
    i === 1 || i === 3 || i === 4 || i === 6 ? BESIDE : DIAGONAL
  );
  const diagonal = new Float64Array(length).fill(1);
  for (const at of unknown) {
    let sum = 0;
    for (let i = 0; i < 8; i++) sum += weights[i]! * within[at + offsets[i]!]!;
    diagonal[at] = sum;
  }
  const system = { unknown, row, diagonal };
  const known = new Float64Array(length);
  for (let at = 0; at < image.length; at += height * width) {
    const channel = image.subarray(at, at + height * width);
    known.fill(0);
    for (let y = 0; y < height; y++) {
      known.set(
        channel.subarray(y * width, (y + 1) * width),
        (y + 1) * row + 1,
      );
    }
    for (const place of unknown) known[place] = 0;
    const right = new Float64Array(length);
    for (const place of unknown) right[place] = around(known, place, row);
    const solution = solve(system, right);
    places.forEach((place) => {
      const inner = (Math.floor(place / width) + 1) * row + place % width + 1;
      channel[place] = solution[inner]!;
    });
  }
}

interface System {
  /** In ascending order. */
  readonly unknown: Uint32Array;
  readonly row: number;
  readonly diagonal: Float64Array;
}

/** What a place's neighbours say. */
function around(values: Float64Array, at: number, row: number): number {
  return BESIDE *
      (values[at - row]! + values[at - 1]! + values[at + 1]! +
        values[at + row]!) +
    DIAGONAL *
      (values[at - row - 1]! + values[at - row + 1]! +
        values[at + row - 1]! + values[at + row + 1]!);
}

/** Conjugate gradients; what is not unknown is 0 everywhere. */
function solve(system: System, right: Float64Array): Float64Array {
  const { unknown, row, diagonal } = system;
  const solution = new Float64Array(right.length);
  const residual = right.slice();
  const step = new Float64Array(right.length);
  const image = new Float64Array(right.length);
  const better = new Float64Array(right.length);
  const dot = (a: Float64Array, b: Float64Array) => {
    let sum = 0;
    for (let i = 0; i < unknown.length; i++) {
      sum += a[unknown[i]!]! * b[unknown[i]!]!;
    }
    return sum;
  };
  const least = TOLERANCE ** 2 * dot(right, right);
  let before = 1;
  for (let turn = 0; turn < unknown.length; turn++) {
    if (dot(residual, residual) <= least) break;
    precondition(system, residual, better);
    const now = dot(residual, better);
    const keep = turn === 0 ? 0 : now / before;
    before = now;
    for (let i = 0; i < unknown.length; i++) {
      const at = unknown[i]!;
      step[at] = better[at]! + keep * step[at]!;
    }
    for (let i = 0; i < unknown.length; i++) {
      const at = unknown[i]!;
      image[at] = diagonal[at]! * step[at]! - around(step, at, row);
    }
    const far = now / dot(step, image);
    for (let i = 0; i < unknown.length; i++) {
      const at = unknown[i]!;
      solution[at]! += far * step[at]!;
      residual[at]! -= far * image[at]!;
    }
  }
  return solution;
}

/** One sweep down and one up. */
function precondition(
  { unknown, row, diagonal }: System,
  residual: Float64Array,
  target: Float64Array,
): void {
  for (const at of unknown) target[at] = 0;
  for (let i = 0; i < unknown.length; i++) {
    const at = unknown[i]!;
    const above = BESIDE * (target[at - row]! + target[at - 1]!) +
      DIAGONAL * (target[at - row - 1]! + target[at - row + 1]!);
    target[at] = RELAXATION * (residual[at]! + above) / diagonal[at]!;
  }
  // The sweeps meet in the diagonal.
  const meet = (2 - RELAXATION) / RELAXATION;
  for (let i = unknown.length - 1; i >= 0; i--) {
    const at = unknown[i]!;
    const below = BESIDE * (target[at + row]! + target[at + 1]!) +
      DIAGONAL * (target[at + row - 1]! + target[at + row + 1]!);
    target[at] = RELAXATION *
      (meet * diagonal[at]! * target[at]! + below) / diagonal[at]!;
  }
}
