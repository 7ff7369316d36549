import type { PlaceProof } from "../cam/prove_place.ts";

/** The one whose residual is greater. */
export function worseOf(
  one: PlaceProof,
  other: PlaceProof | undefined,
): PlaceProof {
  return other && other.residual > one.residual ? other : one;
}
