/** What went wrong, for programs: the `code` of a {@linkcode GapcamError}. */
export type GapcamErrorCode =
  | "invalid-argument"
  | "invalid-handle"
  | "shape-mismatch"
  | "unsupported"
  | "not-allowed"
  | "out-of-memory"
  | "device-unavailable"
  | "busy"
  | "device-failed"
  | "internal"
  | "rank-failed"
  | "bad-data"
  | "not-found"
  | "diverged"
  | "io";

/**
 * An error that a user can act on. Its message is one sentence that says what
 * was asked, what was found and what to do; commands print it without a stack
 * trace.
 *
 * @example Telling an expected failure from a defect
 * ```ts
 * import { GapcamError } from "@gapcam/gapcam";
 *
 * const error = new GapcamError("not-found", "Cannot open run: no folder runs/x exists");
 * if (error.code !== "not-found") throw error;
 * ```
 */
export class GapcamError extends Error {
  /** The kind of failure. */
  readonly code: GapcamErrorCode;

  /** Creates an error with a code and a one-sentence message. */
  constructor(code: GapcamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GapcamError";
    this.code = code;
  }
}
