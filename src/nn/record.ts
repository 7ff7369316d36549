import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { GapcamError } from "../error.ts";
import { perChannel } from "./_per_channel.ts";
import { join } from "./graph_of.ts";
import { kindOf } from "./layers/_kinds.ts";
import type { ImageOptions, Network } from "./network.ts";
import { shapesOf } from "./output_shapes.ts";

/** A model as a program computes it. */
export interface Recorded {
  /** The images, resized and normalised: [N, channels, height, width]. */
  readonly prepared: Tensor;
  /** What each node of the graph makes, by its number. */
  readonly outputs: readonly Tensor[];
  /** [N, classes]. */
  readonly logits: Tensor;
}

/**
 * Records a network's whole graph, from u8 images to logits.
 *
 * @throws {GapcamError} If the images do not fit the model, or it does not end
 * in one number a class.
 */
export function record(
  network: Network,
  program: Program,
  images: Tensor,
  options: ImageOptions,
): Recorded {
  const { height, width, channels } = options.image;
  const { graph } = network;
  const size = options.inputSize ?? { height, width };
  // Checked here too, because these messages name layers.
  const nodes = shapesOf(graph, [channels, size.height, size.width]);
  const { outputShape } = nodes[graph.output]!;
  if (outputShape.length !== 1) {
    throw new GapcamError(
      "shape-mismatch",
      "Cannot compile the model: it must end in one number a class, " +
        `found [${outputShape.join(", ")}]`,
    );
  }
  const prepared = program.prepareImages(images, {
    ...size,
    mean: perChannel(options.mean ?? [0.5], channels),
    deviation: perChannel(options.deviation ?? [0.5], channels),
  });
  const outputs: Tensor[] = [];
  for (const { name, layer, inputs } of nodes) {
    const read = inputs.map((i) => i < 0 ? prepared : outputs[i]!);
    outputs.push(
      kindOf(layer).record(layer, {
        program,
        inputs: read as [Tensor, ...Tensor[]],
        parameter: (own) => network.tensor(join(name, own)),
      }),
    );
  }
  return { prepared, outputs, logits: outputs[graph.output]! };
}
