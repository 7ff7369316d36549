import { Random } from "../../src/random.ts";

/** Values between -1 and 1 for a shape. */
export function uniform(shape: readonly number[], seed: number): Float32Array {
  const length = shape.reduce((product, size) => product * size, 1);
  return new Random(seed).fillUniform(new Float32Array(length), -1, 1);
}
