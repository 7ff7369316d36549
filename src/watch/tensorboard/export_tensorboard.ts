import { exists } from "../../_files.ts";
import { GapcamError } from "../../error.ts";
import { readCheckpoint } from "../../train/checkpoint_file.ts";
import { runEvent } from "../../train/run_event.ts";
import { CHECKPOINT_NAME, LOG_NAME } from "../../train/run_folder.ts";
import { readFilm } from "../film.ts";
import { frameAfter } from "./_frame_after.ts";
import { readRunLog } from "../../train/run_log.ts";
import { histogramsOf } from "../../train/tensor_histogram.ts";
import { TensorboardLog } from "./tensorboard_log.ts";

/**
 * Writes the log of a run as TensorBoard's files. A run that did not log how its
 * weights are distributed has them once, from its last checkpoint.
 *
 * @param run The run's folder.
 * @param folder Where; a folder that is not there yet.
 * @returns How many events were written, and why the maps of the run's film were
 * not, where there is one and they were not.
 * @throws {GapcamError} If the run has no log or it cannot be read, or the folder
 * is there already or cannot be written; nothing is left of it then.
 */
export async function exportTensorboard(
  run: string,
  folder: string,
): Promise<{ events: number; filmProblem: string | undefined }> {
  const path = `${run}/${LOG_NAME}`;
  if (!exists(path)) {
    throw new GapcamError(
      "not-found",
      `Cannot export ${run} for TensorBoard: found no ${LOG_NAME}, expected ` +
        "the folder of a run",
    );
  }
  if (exists(folder)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot write TensorBoard events to ${folder}: it is there already; ` +
        "choose another folder or remove it first",
    );
  }
  const events = readRunLog(path);
  const checkpoint = `${run}/${CHECKPOINT_NAME}`;
  if (
    !events.some(({ event }) => event === "histograms") && exists(checkpoint)
  ) {
    const { parameters, progress } = await readCheckpoint(checkpoint);
    events.push({
      ...runEvent({
        event: "histograms",
        epoch: progress.epoch,
        step: progress.step,
        parameters: histogramsOf(parameters),
        gradients: {},
      }),
      time: events.at(-1)?.time ?? "",
    });
  }
  try {
    const film = await readFilm(run);
    using log = new TensorboardLog(folder);
    for (const event of events) {
      log.add(event);
      const frame = film && frameAfter(event, film);
      if (frame) await log.addFrame(film, frame, event.time);
    }
    return { events: events.length, filmProblem: log.filmProblem };
  } catch (error) {
    // Made here, since it was not there.
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    throw error;
  }
}
