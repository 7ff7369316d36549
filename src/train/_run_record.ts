import { exists } from "../_files.ts";
import type { Dataset } from "../data/dataset.ts";
import type { StateDict } from "../host_tensor.ts";
import type { Checkpoint, TrainingProgress } from "./checkpoint.ts";
import { writeCheckpoint } from "./checkpoint_file.ts";
import { runEvent, type RunEventContent } from "./run_event.ts";
import { BEST_NAME, CHECKPOINT_NAME, LOG_NAME } from "./run_folder.ts";
import { RunLog } from "./run_log.ts";
import type { TrainOptions } from "./train_options.ts";
import type { Trainer } from "./trainer.ts";
import type { ValidationProgress } from "./validation_progress.ts";

/** What is kept of a run while it trains: its log and its checkpoints. */
export class RunRecord implements Disposable {
  readonly #trainer: Trainer;
  readonly #dataset: Dataset;
  readonly #options: TrainOptions;
  readonly #folder: string | undefined;
  readonly #log: RunLog | undefined;
  readonly #full = new AbortController();
  /** How far validation has come, if anything validates the run. */
  validation: ValidationProgress | undefined;
  /** How far the run had come at the last checkpoint. */
  saved: TrainingProgress | undefined;
  /** Aborted once the log cannot be written: that ends a run as an abort does. */
  readonly full: AbortSignal = this.#full.signal;

  /** `folder`: where; nothing is written without one. */
  constructor(
    trainer: Trainer,
    dataset: Dataset,
    options: TrainOptions & { at: string | undefined },
  ) {
    this.#trainer = trainer;
    this.#dataset = dataset;
    this.#options = options;
    this.#folder = options.at;
    this.saved = options.checkpoint?.progress;
    this.validation = this.saved?.validation;
    this.#log = this.#folder === undefined
      ? undefined
      : new RunLog(`${this.#folder}/${LOG_NAME}`);
  }

  /** Path of the last checkpoint. */
  get path(): string | undefined {
    return this.#folder && `${this.#folder}/${CHECKPOINT_NAME}`;
  }

  /** Path of the best network's checkpoint. */
  get bestPath(): string | undefined {
    return this.#folder && `${this.#folder}/${BEST_NAME}`;
  }

  /** Whether the folder has no checkpoint of this run yet. */
  get fresh(): boolean {
    return this.path !== undefined &&
      (!this.#options.checkpoint || !exists(this.path));
  }

  /** Logs an event and tells whoever listens. */
  async emit(content: RunEventContent): Promise<void> {
    const event = runEvent(content);
    try {
      this.#log?.write(event);
    } catch (error) {
      this.#full.abort(error);
    }
    await this.#options.onEvent?.(event, {
      averages: () => this.#trainer.averages,
    });
  }

  /** Saves all that the run needs to go on. */
  async save(): Promise<void> {
    if (!this.path) return;
    // After a power cut the log is to tell all that the checkpoint knows.
    this.#log?.sync();
    const { averages } = this.#trainer;
    const checkpoint: Checkpoint = {
      ...this.#checkpoint(this.#trainer.network.state()),
      ...(averages ? { averages } : {}),
      optimiserState: this.#trainer.optimiserState(),
    };
    await writeCheckpoint(this.path, checkpoint);
    this.saved = checkpoint.progress;
  }

  /** Tells that the run was saved. */
  async tellSaved(): Promise<void> {
    if (!this.path) return;
    const { epoch, batch, step } = this.#trainer.progress;
    const file = CHECKPOINT_NAME;
    await this.emit({ event: "checkpoint", file, epoch, batch, step });
  }

  /** Saves the network alone, as the best. */
  async saveBest(): Promise<void> {
    if (!this.bestPath) return;
    const { averages, network } = this.#trainer;
    await writeCheckpoint(
      this.bestPath,
      this.#checkpoint(averages ?? network.state()),
    );
  }

  /** Closes the log. */
  [Symbol.dispose](): void {
    this.#log?.[Symbol.dispose]();
  }

  /** A checkpoint of the network alone. */
  #checkpoint(parameters: StateDict): Checkpoint {
    const trainer = this.#trainer, options = this.#options;
    return {
      ...(options.communicator ? { ranks: options.communicator.size } : {}),
      modelName: options.modelName ?? "custom",
      model: trainer.network.model,
      classes: [...this.#dataset.classes],
      dataset: options.dataset ?? { name: this.#dataset.name },
      training: trainer.config,
      progress: {
        ...trainer.progress,
        ...(this.validation ? { validation: this.validation } : {}),
      },
      parameters,
      optimiserState: new Map(),
    };
  }
}
