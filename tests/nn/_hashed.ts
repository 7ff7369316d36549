/**
 * Numbers that scripts/fixtures/nn_hash.py draws too, bit for bit, so that no
 * weights need to be stored.
 *
 * @module
 */

/** Wellons' lowbias32. */
export function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** `count` words; another seed gives unrelated ones. */
export function words(count: number, seed: number): Uint32Array {
  const start = mix(seed);
  return Uint32Array.from({ length: count }, (_, i) => mix((i + start) | 0));
}

/** Numbers in [-bound, bound), computed in double precision and rounded once. */
export function fillUniform(
  target: Float32Array,
  seed: number,
  bound: number,
): void {
  const start = mix(seed);
  for (let i = 0; i < target.length; i++) {
    target[i] = bound * (mix((i + start) | 0) / 2 ** 31 - 1);
  }
}

/** `count` bytes of u8 images. */
export function images(count: number, seed: number): Uint8Array {
  return Uint8Array.from(words(count, seed), (word) => word >>> 24);
}

/** Class indices. */
export function labels(
  count: number,
  classes: number,
  seed: number,
): Int32Array {
  return Int32Array.from(words(count, seed), (word) => word % classes);
}

/** The values at the places that the hash picks. */
export function samples(
  values: Float32Array,
  count: number,
  seed: number,
): Float32Array {
  return Float32Array.from(
    words(count, seed),
    (w) => values[w % values.length]!,
  );
}

/** Dot products with random vectors of +1 and -1; see nn_hash.py. */
export function projections(
  values: Float32Array,
  count: number,
  seed: number,
): Float64Array {
  const start = mix(seed);
  const sums = new Float64Array(count);
  for (let i = 0; i < values.length; i++) {
    let signs = mix((i + start) | 0);
    const value = values[i]!;
    for (let j = 0; j < count; j++) {
      sums[j]! += signs & 1 ? -value : value;
      signs >>>= 1;
    }
  }
  return sums;
}

/** Euclidean norm. */
export function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum);
}

/** Norm of the difference over the norm of what is expected; NaN stays NaN. */
export function relativeError(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): number {
  if (actual.length !== expected.length) return NaN;
  let sum = 0;
  for (let i = 0; i < expected.length; i++) {
    sum += (actual[i]! - expected[i]!) ** 2;
  }
  return Math.sqrt(sum) / norm(expected);
}
