import { GapcamError } from "./error.ts";

/**
 * A seeded source of random numbers: xoshiro128** of Blackman and Vigna
 * ("Scrambled linear pseudorandom number generators", 2021), its state filled
 * by SplitMix32, so that near seeds give unrelated sequences.
 *
 * @example The same seed gives the same numbers
 * ```ts
 * import { Random } from "./random.ts";
 *
 * if (new Random(1).nextUint32() !== new Random(1).nextUint32()) throw new Error();
 * ```
 */
export class Random {
  readonly #state = new Uint32Array(4);

  /**
   * Starts a sequence.
   *
   * @param seed Any number; its 32 low and 32 high bits count.
   * @param streams Further numbers, such as an epoch: each list of numbers has
   * a sequence of its own.
   */
  constructor(seed: number, ...streams: number[]) {
    let mixed = 0x9e3779b9;
    for (const part of [seed, ...streams]) {
      mixed = splitMix32(mixed ^ (part >>> 0));
      mixed = splitMix32(mixed ^ (Math.floor(part / 2 ** 32) >>> 0));
    }
    for (let i = 0; i < 4; i++) this.#state[i] = mixed = splitMix32(mixed + i);
    // The one state that the generator cannot leave.
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /**
   * Starts a sequence from a raw state of xoshiro128**, as other
   * implementations have it.
   *
   * @param state Four words of 32 bits, not all zero.
   * @throws {GapcamError} If the state is not of that kind.
   */
  static fromState(state: ArrayLike<number>): Random {
    const random = new Random(0);
    random.#state.set(state.length === 4 ? state : []);
    if (state.length !== 4 || random.#state.every((word) => word === 0)) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot start random numbers: found state [${
          Array.from(state).join(", ")
        }], expected four words, not all zero`,
      );
    }
    return random;
  }

  /** The next 32 random bits, as a number in `[0, 2^32)`. */
  nextUint32(): number {
    const s = this.#state;
    const s1 = s[1]!;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const shifted = s1 << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s1;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  }

  /** A number in `[0, 1)`, a multiple of 2^-32. */
  uniform(): number {
    return this.nextUint32() / 2 ** 32;
  }

  /**
   * A whole number in `[0, bound)`, each equally likely (Lemire 2019).
   *
   * @param bound A whole number from 1 to 2^32.
   * @throws {GapcamError} If the bound is none of these.
   */
  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new GapcamError(
        "invalid-argument",
        `Cannot draw a number below ${bound}: expected a whole number from 1 ` +
          "to 2^32",
      );
    }
    // Draws below 2^32 mod bound would make small results likelier.
    const threshold = 2 ** 32 % bound;
    for (;;) {
      const bits = this.nextUint32();
      if (bound <= 2 ** 21) {
        // The product is below 2^53: exact as a double, faster than a BigInt.
        const product = bits * bound;
        const high = Math.floor(product / 2 ** 32);
        if (product - high * 2 ** 32 >= threshold) return high;
        continue;
      }
      const product = BigInt(bits) * BigInt(bound);
      if (Number(product & 0xffffffffn) >= threshold) {
        return Number(product >> 32n);
      }
    }
  }

  /** Shuffles an array in place (Fisher and Yates) and returns it. */
  shuffle<List extends { length: number; [index: number]: unknown }>(
    list: List,
  ): List {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }

  /** Fills an array with numbers in `[low, high)`. */
  fillUniform(target: Float32Array, low: number, high: number): Float32Array {
    for (let i = 0; i < target.length; i++) {
      target[i] = low + (high - low) * this.uniform();
    }
    return target;
  }
}

function rotateLeft(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function splitMix32(word: number): number {
  let z = (word + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
