import type { FloatMap } from "../../image/float_map.ts";

/** What of a map speaks for its class, as shares of the greatest value. */
export function maskOf({ data }: FloatMap): Float32Array {
  const greatest = data.reduce((a, b) => Math.max(a, b), 0);
  return data.map((value) => greatest > 0 ? Math.max(0, value) / greatest : 0);
}
