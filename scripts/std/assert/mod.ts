/**
 * A local stand-in for `@std/assert`, with the real package's names,
 * signatures and error text, for machines that cannot reach JSR. Deleting the
 * `workspace` line of `deno.json` switches to the real package.
 *
 * @module
 */

/** Error thrown when an assertion fails. */
export class AssertionError extends Error {
  /** Creates an assertion error with a message. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

function suffix(message?: string): string {
  return message ? `: ${message}` : ".";
}

function format(value: unknown): string {
  return Deno.inspect(value, { depth: 20, strAbbreviateSize: 10_000, iterableLimit: 100 });
}

/** Deep equality as `@std/assert` defines it: structure, prototype and `Object.is`. */
export function equal(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object" || !left || !right) return false;
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return false;
  if (ArrayBuffer.isView(left) && ArrayBuffer.isView(right) && !(left instanceof DataView)) {
    const a = left as unknown as ArrayLike<unknown>;
    const b = right as unknown as ArrayLike<unknown>;
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
    return true;
  }
  if (left instanceof Date && right instanceof Date) return left.getTime() === right.getTime();
  if (left instanceof RegExp && right instanceof RegExp) return String(left) === String(right);
  if (left instanceof Map && right instanceof Map) {
    return left.size === right.size &&
      [...left].every(([key, value]) => right.has(key) && equal(value, right.get(key)));
  }
  if (left instanceof Set && right instanceof Set) {
    return left.size === right.size &&
      [...left].every((a) => right.has(a) || [...right].some((b) => equal(a, b)));
  }
  const a = left as Record<PropertyKey, unknown>;
  const b = right as Record<PropertyKey, unknown>;
  const keys = new Set([...Reflect.ownKeys(a), ...Reflect.ownKeys(b)]);
  for (const key of keys) if (!equal(a[key], b[key])) return false;
  return true;
}

/** Asserts that `condition` is truthy. */
export function assert(condition: unknown, message = ""): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Asserts that `actual` equals `expected`, deeply. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(
    `Values are not equal${suffix(message)}\n\n    [Diff] Actual / Expected\n\n` +
      `-   ${format(actual)}\n+   ${format(expected)}\n`,
  );
}

/** Asserts that `actual` does not equal `expected`, deeply. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected actual: ${format(actual)} not to be: ${format(expected)}${suffix(message)}`,
  );
}

/** Asserts that `actual` and `expected` are the same value (`Object.is`). */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  throw new AssertionError(
    `Values are not strictly equal${suffix(message)}\n\n-   ${format(actual)}\n+   ${
      format(expected)
    }\n`,
  );
}

/** Asserts that two numbers differ by at most `tolerance` (default: 1e-7 relative). */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  message?: string,
): void {
  if (Object.is(actual, expected)) return;
  const bound = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const delta = Math.abs(expected - actual);
  if (delta <= bound) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to be close to "${expected}": ` +
      `delta "${delta}" is greater than "${bound}"${suffix(message)}`,
  );
}

/** Asserts that a string holds another. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to contain: "${expected}"${suffix(message)}`,
  );
}

/** Asserts that a string matches a regular expression. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  if (expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to match: "${expected}"${suffix(message)}`,
  );
}

/** Asserts that `actual` is greater than `expected`. */
export function assertGreater<T>(actual: T, expected: T, message?: string): void {
  if (actual > expected) return;
  throw new AssertionError(
    `Expect ${format(actual)} > ${format(expected)}${message ? `: ${message}` : ""}`,
  );
}

/** Asserts that `actual` is at least `expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void {
  if (actual >= expected) return;
  throw new AssertionError(
    `Expect ${format(actual)} >= ${format(expected)}${message ? `: ${message}` : ""}`,
  );
}

/** Asserts that `actual` is less than `expected`. */
export function assertLess<T>(actual: T, expected: T, message?: string): void {
  if (actual < expected) return;
  throw new AssertionError(
    `Expect ${format(actual)} < ${format(expected)}${message ? `: ${message}` : ""}`,
  );
}

/** Asserts that `actual` is at most `expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void {
  if (actual <= expected) return;
  throw new AssertionError(
    `Expect ${format(actual)} <= ${format(expected)}${message ? `: ${message}` : ""}`,
  );
}

/** Asserts that `actual` is an instance of a class. */
// deno-lint-ignore no-explicit-any
export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
  actual: unknown,
  expectedType: T,
  message = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  throw new AssertionError(
    message || `Expected object to be an instance of "${expectedType.name}" but was ${
      format(actual)
    }.`,
  );
}

/** Asserts that a value is neither null nor undefined. */
export function assertExists<T>(
  actual: T,
  message?: string,
): asserts actual is NonNullable<T> {
  if (actual !== null && actual !== undefined) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not be null or undefined${suffix(message)}`,
  );
}

// deno-lint-ignore no-explicit-any
type ErrorConstructor<E extends Error> = abstract new (...args: any[]) => E;

/** Asserts that a value is an error of a class, its message holding a text. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorConstructor<E>,
  messageMatches?: string | RegExp,
  message?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(`Expected "error" to be an Error object${suffix(message)}`);
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor.name}": ${error.message}${
        suffix(message)
      }`,
    );
  }
  const matched = typeof messageMatches === "string"
    ? error.message.includes(messageMatches)
    : messageMatches?.test(error.message) ?? true;
  if (!matched) {
    throw new AssertionError(
      `Expected error message to include ${format(messageMatches)}, but got ${
        format(error.message)
      }${suffix(message)}`,
    );
  }
}

/** Asserts that a function throws; returns what it threw. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: ErrorConstructor<E>,
  messageIncludes?: string,
  message?: string,
): E {
  try {
    fn();
  } catch (error) {
    assertIsError(error, ErrorClass, messageIncludes, message);
    return error as E;
  }
  throw new AssertionError(`Expected function to throw${suffix(message)}`);
}

/** Asserts that a function's promise rejects; resolves with the reason. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: ErrorConstructor<E>,
  messageIncludes?: string,
  message?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    assertIsError(error, ErrorClass, messageIncludes, message);
    return error as E;
  }
  throw new AssertionError(`Expected function to reject${suffix(message)}`);
}

/** Fails. */
export function fail(message?: string): never {
  throw new AssertionError(`Failed assertion${suffix(message)}`);
}
