/** What some steps came to. */
export interface StepReport {
  /** Number of the epoch, from 1. */
  epoch: number;
  /** Number of the last step in its epoch, from 1. */
  step: number;
  /** Steps an epoch. */
  stepsPerEpoch: number;
  /** Steps since the run began. */
  totalSteps: number;
  /** Mean loss of the steps. */
  loss: number;
  /** Share of their images whose greatest logit was the label's. */
  accuracy: number;
  /** Learning rate of the last step. */
  learningRate: number;
}

/** Options of {@linkcode Trainer.runEpoch}. */
export interface EpochOptions {
  /** Aborting stops after the step under way. */
  signal?: AbortSignal;
  /**
   * Called after every step, with the running mean since the last interval's
   * end; waited for.
   */
  onStep?: (report: StepReport & { images: number }) => unknown;
  /** Called every `logEvery` steps, with the mean over them; waited for. */
  onInterval?: (report: StepReport) => unknown;
  /**
   * Called with how many images' features are computed, where training goes by
   * them (see {@linkcode TrainingConfig.freeze}); waited for.
   */
  onFeatures?: (done: number) => unknown;
  /** Steps from one call of `onSave` to the next. */
  saveEvery?: number;
  /**
   * Called every `saveEvery` steps but at an epoch's end, where the trainer's
   * state is whole; waited for.
   */
  onSave?: () => unknown;
}
