import { BatchLoader } from "../data/batch_loader.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Communicator } from "../device/communicator.ts";
import type { StateDict } from "../host_tensor.ts";
import { trunkNames } from "../nn/classifier_of.ts";
import type { Network } from "../nn/network.ts";
import type { TrainingProgram } from "../nn/training_program.ts";
import type { TrainingProgress } from "./checkpoint.ts";
import {
  computeFeatures,
  type FeatureOptions,
  type FeatureShape,
  featureShape,
} from "./_features.ts";
import { inTurns } from "./_ranks.ts";
import { learningRateAt } from "./learning_rate.ts";
import {
  orderOptions,
  trainingLoader,
  trainingProgram,
} from "./_training_parts.ts";
import type { TrainingConfig } from "./training_config.ts";

/**
 * What a run's steps are made of: batches and the compiled step. In the first
 * epochs the layer that decides may learn alone, and where nothing else ever
 * does, images become their features once.
 */
export class Phases implements Disposable {
  readonly #network: Network;
  readonly #dataset: Dataset;
  readonly #config: TrainingConfig;
  readonly #features: FeatureShape | undefined;
  readonly #communicator: Communicator | undefined;
  /** Epochs in which the head learns alone, before all do. */
  readonly #headEpochs: number;
  #loader: BatchLoader;
  #computed = false;
  #program: TrainingProgram | undefined;
  #headAlone = false;

  private constructor(
    network: Network,
    dataset: Dataset,
    config: TrainingConfig,
    communicator: Communicator | undefined,
  ) {
    this.#network = network;
    this.#dataset = dataset;
    this.#config = config;
    this.#communicator = communicator;
    this.#loader = trainingLoader(network, dataset, config, communicator);
    this.#features = featureShape(network, dataset, config);
    this.#headEpochs = this.#features
      ? 0
      : Math.min(config.headEpochs, config.epochs);
  }

  /** Compiles the step of the epoch under way. */
  static async create(
    network: Network,
    dataset: Dataset,
    options: {
      config: TrainingConfig;
      progress: Pick<TrainingProgress, "epoch" | "step">;
      optimiserState: StateDict | undefined;
      communicator: Communicator | undefined;
    },
  ): Promise<Phases> {
    const { config, progress, optimiserState, communicator } = options;
    const phases = new Phases(network, dataset, config, communicator);
    await phases.#compile(progress.epoch);
    const step = progress.step - phases.#firstStep;
    try {
      // With the phase the optimiser begins anew.
      if (optimiserState && step > 0) {
        phases.program.loadOptimiserState(optimiserState, step);
      }
    } catch (error) {
      phases[Symbol.dispose]();
      throw error;
    }
    return phases;
  }

  /** The compiled step. */
  get program(): TrainingProgram {
    return this.#program!;
  }

  /** What is cut into batches. */
  get loader(): BatchLoader {
    return this.#loader;
  }

  /** Makes ready for an epoch. */
  async enter(
    epoch: number,
    options: Omit<FeatureOptions, "config">,
  ): Promise<void> {
    if (this.#headAlone !== epoch < this.#headEpochs) {
      await this.#compile(epoch);
    }
    if (!this.#features || this.#computed) return;
    const features = await computeFeatures(
      this.#network,
      this.#dataset,
      this.#features,
      { ...options, config: this.#config },
    );
    this.#loader = new BatchLoader(features, {
      ...orderOptions(this.#network, this.#config, this.#communicator),
      augmentation: { horizontalFlip: this.#config.flip },
    });
    this.#computed = true;
  }

  /** The learning rate of a step of the run: each phase has its schedule. */
  rateAt(step: number): number {
    const { learningRate, schedule, epochs } = this.#config;
    return learningRateAt(schedule, step - this.#firstStep, {
      learningRate,
      stepsPerEpoch: this.#loader.steps,
      epochs: this.#headAlone ? this.#headEpochs : epochs - this.#headEpochs,
    });
  }

  /** Frees the compiled step. */
  [Symbol.dispose](): void {
    this.#program?.[Symbol.dispose]();
    this.#program = undefined;
  }

  /** The run's first step of the phase. */
  get #firstStep(): number {
    return this.#headAlone ? 0 : this.#headEpochs * this.#loader.steps;
  }

  async #compile(epoch: number): Promise<void> {
    this[Symbol.dispose]();
    this.#headAlone = epoch < this.#headEpochs;
    const { graph } = this.#network;
    const { freeze } = this.#config;
    this.#program = await inTurns(this.#communicator, () =>
      trainingProgram(
        this.#network,
        this.#dataset,
        this.#config,
        {
          freeze: this.#headAlone
            ? [...new Set([...freeze, ...trunkNames(graph)])]
            : freeze,
          features: this.#features,
          communicator: this.#communicator,
        },
      ));
  }
}
