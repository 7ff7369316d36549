import { type Array64, type Computed } from "./_case.ts";

/** What dropout draws by. */
export interface Draw {
  seed: number;
  step: number;
  /** How many dropouts the program has before. */
  layer: number;
}

const MASK = 0xffffffffn;

/** Philox 4x32-10, from the paper: all four words. */
export function philox(
  counter: readonly number[],
  key: readonly number[],
): number[] {
  let x = counter.map((word) => BigInt(word) & MASK) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  let [k0, k1] = key.map((word) => BigInt(word) & MASK) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const p = 0xd2511f53n * x[0];
    const q = 0xcd9e8d57n * x[2];
    x = [
      (q >> 32n) ^ x[1] ^ k0,
      q & MASK,
      (p >> 32n) ^ x[3] ^ k1,
      p & MASK,
    ];
    k0 = (k0 + 0x9e3779b9n) & MASK;
    k1 = (k1 + 0xbb67ae85n) & MASK;
  }
  return x.map(Number);
}

export function dropout(
  input: Array64,
  probability: number,
  { seed, step, layer, wholeImages = false }: Draw & { wholeImages?: boolean },
): Computed<"input"> {
  const each = wholeImages ? input.data.length / input.shape[0]! : 1;
  const factor = (i: number) => {
    const element = Math.floor(i / each);
    const [word] = philox([element, 0, layer, step], [seed, 0]);
    return word! < probability * 2 ** 32 ? 0 : 1 / (1 - probability);
  };
  const factors = input.data.map((_, i) => factor(i));
  return {
    output: {
      shape: input.shape,
      data: input.data.map((x, i) => x * factors[i]!),
    },
    backward: (dOutput) => ({ input: dOutput.map((d, i) => d * factors[i]!) }),
  };
}
