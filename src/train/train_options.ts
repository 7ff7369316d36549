import type { Communicator } from "../device/communicator.ts";
import type { StateDict } from "../host_tensor.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Checkpoint, DatasetConfig } from "./checkpoint.ts";
import type { StepReport } from "./epoch_options.ts";
import type { RunEvent } from "./run_event.ts";
import type { RunFolder } from "./run_folder.ts";
import type { TrainingConfig } from "./training_config.ts";
import type { BestEpoch } from "./validation_progress.ts";

/** Options of {@linkcode train}. */
export interface TrainOptions {
  /** How to train. */
  config: TrainingConfig;
  /** The model's name, for the checkpoint. Default: `custom`. */
  modelName?: string;
  /** What to say of the data in the checkpoint. Default: the data set's name. */
  dataset?: DatasetConfig;
  /**
   * Images to judge the network by after each epoch, which it does not train
   * on; the best is kept in `best.safetensors`. Default: it is not judged.
   */
  validation?: Dataset;
  /**
   * The run's folder, for its log and its checkpoint, by its path or opened
   * already; nothing is written if it is left out.
   */
  folder?: string | RunFolder;
  /** Goes on from here, in the folder of that run; the network is loaded from it. */
  checkpoint?: Checkpoint;
  /**
   * Saves a checkpoint every so many steps of the run as well as after every
   * epoch. Default: only after every epoch.
   */
  saveEvery?: number;
  /**
   * Whether each epoch also tells how parameters and gradients are distributed,
   * as a `histograms` event. Default: false.
   */
  histograms?: boolean;
  /** The arguments of the command that trains, for the log. */
  command?: readonly string[];
  /** Aborting finishes the step under way, saves and returns. */
  signal?: AbortSignal;
  /**
   * What joins the ranks that all call this with the same network, data and
   * configuration: each takes its part of every batch and of what validates.
   * Rank 0 alone writes the folder. Default: one process trains.
   */
  communicator?: Communicator;
  /**
   * Called with each thing that happens, as it is logged; waited for. What an
   * epoch came to comes before its checkpoint. `moment`: what can be asked of
   * the run then.
   */
  onEvent?: (event: RunEvent, moment: RunMoment) => unknown;
  /**
   * Called after every step, with the running mean since the last interval's
   * end; waited for.
   */
  onStep?: (report: StepReport & { images: number }) => unknown;
  /**
   * Called with how many images' features are computed, where training goes by
   * them (see {@linkcode TrainingConfig.freeze}); waited for.
   */
  onFeatureProgress?: (done: number, images: number) => unknown;
  /** Called with how many images validation has done; waited for. */
  onValidationProgress?: (done: number, images: number) => unknown;
}

/** What can be asked of a run as something happens in it. */
export interface RunMoment {
  /**
   * Copies of the moving averages of parameters and running statistics as they
   * are now; undefined unless the configuration asks for them.
   */
  averages(): StateDict | undefined;
}

/** What {@linkcode train} came to. */
export interface TrainResult {
  /** Whether all epochs are done, or patience ended the run; false after an abort. */
  finished: boolean;
  /** Epochs done. */
  epochs: number;
  /** Steps done, in all. */
  steps: number;
  /** Mean of the last whole epoch of this call; undefined if there was none. */
  lastEpoch: StepReport | undefined;
  /** The best epoch by validation; undefined without one. */
  best: BestEpoch | undefined;
  /** Moving averages of the weights, if the configuration asks for them. */
  averages: StateDict | undefined;
  /** The checkpoint's path; undefined without a folder. */
  checkpoint: string | undefined;
  /** The best network's checkpoint; undefined without a folder or validation. */
  bestCheckpoint: string | undefined;
}
