import { openLibrary } from "../../src/device/_library.ts";

/** Bytes held by everything on all CPU devices of this process. */
export function liveBytes(): number {
  return Number(openLibrary("cpu").gapcam_live_bytes());
}
