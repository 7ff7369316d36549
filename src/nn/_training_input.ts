import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { GapcamError } from "../error.ts";
import { classifierOf } from "./classifier_of.ts";
import type { Network } from "./network.ts";
import { FrozenLayers } from "./_record_frozen.ts";
import { record, recordNodes } from "./record.ts";
import type { TrainingOptions } from "./training_options.ts";

/** What a training step begins with. */
export interface TrainingInput {
  /** Images as u8 [N, H, W, C], or features as f32 [N, K]. */
  readonly tensor: Tensor;
  /**
   * The bytes of a batch, as [N, H, W, C]; of features each pixel has all, and
   * the first counts.
   */
  readonly bytes: readonly [number, number, number, number];
  /** [N, classes]. */
  readonly logits: Tensor;
}

/**
 * Records the forward half of a training step.
 *
 * @param stack Owns the tensors that are made.
 * @throws {GapcamError} If what comes in does not fit the model.
 */
export function recordTrainingInput(
  network: Network,
  program: Program,
  options: TrainingOptions,
  stack: DisposableStack,
): TrainingInput {
  const { device, graph } = network;
  const { batchSize, image, freeze = [] } = options;
  const bytes = [batchSize, image.height, image.width, image.channels] as const;
  if (options.features) {
    const tensor = stack.use(
      device.tensor([batchSize, image.channels / 4], { staged: true }),
    );
    return { tensor, bytes, logits: recordHead(network, program, tensor) };
  }
  const tensor = stack.use(device.tensor(bytes, { type: "u8", staged: true }));
  const frozen = new FrozenLayers(graph, freeze, {
    device,
    stack,
    tensor: (name) => network.tensor(name),
  });
  const { logits } = record(network, program, tensor, { ...options, frozen });
  return { tensor, bytes, logits };
}

/** Writes a full batch. */
export function writeInput(
  { tensor, bytes: [count, height, width, channels] }: TrainingInput,
  batch: Uint8Array,
): void {
  if (tensor.type === "u8") {
    tensor.write(batch);
    return;
  }
  const features = new Uint8Array(count * channels);
  for (let i = 0; i < count; i++) {
    const from = i * height * width * channels;
    features.set(batch.subarray(from, from + channels), i * channels);
  }
  tensor.write(new Float32Array(features.buffer));
}

/** What global average pooling feeds: dropout perhaps, and a linear layer. */
function recordHead(
  network: Network,
  program: Program,
  features: Tensor,
): Tensor {
  const { pool, linear } = classifierOf(network.graph) ?? {};
  if (pool === undefined || linear?.layer.inputFeatures !== features.shape[1]) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot train on ${
        features.shape[1]
      } features an image: the model ends ` +
        (linear
          ? `in a layer of ${linear.layer.inputFeatures}`
          : "in no linear layer behind global average pooling"),
    );
  }
  const outputs = recordNodes(network, program, {
    input: features,
    given: new Map([[pool, features]]),
  });
  return outputs[network.graph.output]!;
}
