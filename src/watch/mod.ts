/**
 * Looking at runs: a page that shows them while they train, a report, films of
 * what a network looks at, TensorBoard's files.
 *
 * @module
 */

export type {
  CellChoice,
  ExplainedCell,
  ExplainedImage,
  ExplainedPhotograph,
  Explaining,
  GivenPhotograph,
  NetworkName,
} from "./explaining.ts";
export {
  type Film,
  type FilmedImage,
  type FilmFrame,
  type FilmImage,
  type FilmMap,
  filmMapValues,
  type FilmTitle,
  readFilm,
} from "./film.ts";
export { type FilmOptions, FilmRecorder } from "./film_recorder.ts";
export { readRunData, type Report, reportPage } from "./report_page.ts";
export type {
  CheckpointLine,
  RunData,
  RunLine,
  RunProgress,
  ShownMatrix,
} from "./run_data.ts";
export {
  type RunsServer,
  serveRuns,
  type ServeRunsOptions,
} from "./serve_runs.ts";
export type { RunState } from "../train/run_summary.ts";
export { exportTensorboard } from "./tensorboard/export_tensorboard.ts";
export { TensorboardLog } from "./tensorboard/tensorboard_log.ts";
export type { SeriesPoints } from "./thinned_series.ts";
