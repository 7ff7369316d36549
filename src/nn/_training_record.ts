import type { Device } from "../device/device.ts";
import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { assertWeights } from "./class_weights.ts";
import { type Group, groupsOf, isWithin, learningOf } from "./_groups.ts";
import type { Network } from "./network.ts";
import type { Optimiser } from "./optimiser.ts";
import { recordTrainingInput, type TrainingInput } from "./_training_input.ts";
import type { TrainingOptions } from "./training_options.ts";
import { WholeBatch } from "./_whole_batch.ts";

/** A training step as it was recorded and compiled. */
export interface TrainingRecord {
  /** Forward and backward, and the update of a step of one batch. */
  program: Program;
  /** Adds the program's gradients up, and updates by their sum. */
  sums: { update: Program; settings: Tensor } | undefined;
  input: TrainingInput;
  labels: Tensor;
  metrics: Tensor;
  random: Tensor;
  groups: Group[];
  gradients: Map<string, Tensor>;
  /** Of a rank: what makes its step that of all. */
  whole: WholeBatch | undefined;
}

/** Records and compiles; `stack` owns what is made. */
export async function recordTraining(
  network: Network,
  options: TrainingOptions,
  stack: DisposableStack,
): Promise<TrainingRecord> {
  const { device } = network;
  const { batchSize, optimiser, freeze = [], accumulate = 1 } = options;
  const metrics = stack.use(device.tensor([8]));
  const random = stack.use(device.tensor([3], { type: "i32" }));
  const { profile = false, communicator, syncBatchNorm = false } = options;
  const whole = communicator && new WholeBatch(communicator, device, stack);
  const joined = {
    profile,
    ...(communicator ? { communicator, syncBatchNorm } : {}),
    reduce: options.reduce ?? "ordered",
  } as const;
  const program = stack.use(
    device.program({ training: true, random, ...joined }),
  );
  const input = recordTrainingInput(network, program, options, stack);
  const { logits } = input;
  const labels = stack.use(
    takesTargets(options)
      ? device.tensor(logits.shape, { staged: true })
      : device.tensor([batchSize], { type: "i32", staged: true }),
  );
  const loss = recordLoss(
    program,
    { logits, labels, metrics: whole?.own ?? metrics },
    { ...options, device, stack },
  );
  const share = whole?.record(program, metrics);
  const learning = learningOf(network.parameters, freeze);
  const targets = learning.map(({ name }) => network.tensor(name));
  // Batches that are added up bring the shares of theirs.
  let made = program.backward(
    loss,
    targets,
    share && accumulate === 1 ? { outputGradient: share } : {},
  );
  let sums: TrainingRecord["sums"];
  if (accumulate > 1) {
    const settings = stack.use(device.tensor([2]));
    const totals = targets.map(({ shape }) => stack.use(device.tensor(shape)));
    program.blend(totals, made, { settings });
    made = totals;
    sums = { update: stack.use(device.program(joined)), settings };
  }
  if (whole) {
    const statistics = syncBatchNorm ? [] : network.parameters
      .filter(({ name, trainable }) =>
        !trainable && !freeze.some((prefix) => isWithin(name, prefix))
      )
      .map(({ name }) => network.tensor(name));
    (sums?.update ?? program).allReduce(made, statistics);
  }
  const gradients = new Map(learning.map(({ name }, i) => [name, made[i]!]));
  const groups = groupsOf(learning, {
    rates: options.groups ?? [],
    ...{ device, stack },
    moments: optimiser.kind === "sgd" ? 1 : 2,
    weightDecayOn: options.weightDecayOn ?? "all",
  });
  recordUpdate(sums?.update ?? program, {
    ...{ network, optimiser, groups, gradients },
    clipNorm: options.clipNorm,
  });
  await program.compile();
  await sums?.update.compile();
  return {
    ...{ program, sums, input, labels, metrics, random, groups, gradients },
    whole,
  };
}

/** Whether a step takes a number for each image and class. */
export function takesTargets(options: TrainingOptions): boolean {
  return options.loss === "binary" || (options.targets ?? false);
}

function recordLoss(
  program: Program,
  tensors: { logits: Tensor; labels: Tensor; metrics: Tensor },
  options: TrainingOptions & { device: Device; stack: DisposableStack },
): Tensor {
  const { logits, labels, metrics } = tensors;
  const { labelSmoothing = 0, classWeights, device, stack } = options;
  const given = {
    ...{ labelSmoothing, metrics },
    ...(classWeights
      ? {
        weights: stack.use(
          device.tensor([classWeights.length], {
            data: Float32Array.from(assertWeights(classWeights)),
          }),
        ),
      }
      : {}),
  };
  return options.loss === "binary"
    ? program.binaryCrossEntropy(logits, labels, given)
    : program.crossEntropy(logits, labels, given);
}

function recordUpdate(
  program: Program,
  parts: {
    network: Network;
    optimiser: Optimiser;
    groups: readonly Group[];
    gradients: ReadonlyMap<string, Tensor>;
    clipNorm: number | undefined;
  },
): void {
  const { network, optimiser, groups, clipNorm } = parts;
  const factor = clipNorm === undefined ? {} : {
    factor:
      program.gradientNorm([...parts.gradients.values()], clipNorm).factor,
  };
  for (const { parameters, first, second, settings } of groups) {
    const common = {
      parameters: parameters.map(({ name }) => network.tensor(name)),
      gradients: parameters.map(({ name }) => parts.gradients.get(name)!),
      settings,
      ...factor,
    };
    if (optimiser.kind === "sgd") {
      program.sgd({ ...common, momentumBuffers: first });
    } else {
      program.adam({ ...common, firstMoments: first, secondMoments: second });
    }
  }
}
