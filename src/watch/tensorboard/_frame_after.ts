import type { RunEvent } from "../../train/run_event.ts";
import type { Film, FilmFrame } from "../film.ts";

/** The frame of a film that was taken after an event; undefined if none was. */
export function frameAfter(
  event: RunEvent,
  { frames }: Film,
): FilmFrame | undefined {
  const step = event.event === "epoch"
    ? event.totalSteps
    : event.event === "start"
    ? event.step
    : undefined;
  return step === undefined
    ? undefined
    : frames.findLast((frame) => frame.step === step);
}
