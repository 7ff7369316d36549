import { GapcamError } from "../error.ts";

/** Why an operator cannot be read; its node is named by whoever catches it. */
export class Unreadable extends Error {}

/** Refuses what a file says, for a reason that names no node. */
export function refuse(problem: string): never {
  throw new GapcamError("unsupported", problem);
}
