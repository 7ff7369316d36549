import type { Program } from "../device/program.ts";
import type { Tensor } from "../device/tensor.ts";
import { GapcamError } from "../error.ts";
import { perChannel } from "./_per_channel.ts";
import type { FrozenLayers } from "./_record_frozen.ts";
import { join, type ModelGraph } from "./graph_of.ts";
import { kindOf } from "./layers/_kinds.ts";
import type { ImageOptions, Network } from "./network.ts";
import { type ShapedNode, shapesOf } from "./output_shapes.ts";

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
  options: ImageOptions & Pick<NodeOptions, "frozen">,
): Recorded {
  const { channels } = options.image;
  const size = preparedSize(options);
  // Checked here too, because these messages name layers.
  shapedNodes(network, options);
  const prepared = program.prepareImages(images, {
    ...size,
    mean: perChannel(options.mean ?? [0.5], channels),
    deviation: perChannel(options.deviation ?? [0.5], channels),
  });
  const outputs = recordNodes(network, program, {
    input: prepared,
    ...(options.frozen ? { frozen: options.frozen } : {}),
  });
  return {
    prepared,
    outputs: outputs as Tensor[],
    logits: outputs[network.graph.output]!,
  };
}

/** Height and width of what the first layers read. */
export function preparedSize(
  { inputSize, image }: ImageOptions,
): { height: number; width: number } {
  return inputSize ?? { height: image.height, width: image.width };
}

/**
 * The nodes of a network and their shapes, for images of a size.
 *
 * @throws {GapcamError} If the images do not fit the model, or it does not end
 * in one number a class.
 */
export function shapedNodes(
  network: Network,
  options: ImageOptions,
): ShapedNode[] {
  const { height, width } = preparedSize(options);
  const nodes = shapesOf(network.graph, [
    options.image.channels,
    height,
    width,
  ]);
  const { outputShape } = nodes[network.graph.output]!;
  if (outputShape.length === 1) return nodes;
  throw new GapcamError(
    "shape-mismatch",
    "Cannot compile the model: it must end in one number a class, " +
      `found [${outputShape.join(", ")}]`,
  );
}

/** Where a graph is recorded from, and what of it is known. */
export interface NodeOptions {
  /** What the first nodes read, [N, channels, height, width]. */
  readonly input: Tensor;
  /** Values by their nodes' numbers that are known: what only they need is not recorded. */
  readonly given?: ReadonlyMap<number, Tensor>;
  /** Layers that stay as they are. */
  readonly frozen?: FrozenLayers;
}

/**
 * Records the nodes of a network, or what of them its output needs beside the
 * values that are given.
 *
 * @returns What each node makes, by its number; undefined where it was not
 * recorded.
 */
export function recordNodes(
  network: Network,
  program: Program,
  options: NodeOptions,
): (Tensor | undefined)[] {
  const { graph } = network;
  const { given, frozen, input } = options;
  const needed = given && neededNodes(graph, given);
  const outputs: (Tensor | undefined)[] = graph.nodes.map((_, i) =>
    given?.get(i)
  );
  graph.nodes.forEach(({ name, layer, inputs }, i) => {
    if (needed && !needed.has(i)) return;
    const read = inputs.map((j) => j < 0 ? input : outputs[j]!);
    const at = { program, inputs: read as [Tensor, ...Tensor[]] };
    outputs[i] = frozen?.record(i, at) ?? kindOf(layer).record(layer, {
      ...at,
      parameter: (own) => network.tensor(join(name, own)),
    });
  });
  return outputs;
}

/** The nodes between given values (or the input) and the output. */
export function neededNodes(
  graph: ModelGraph,
  given: { has(node: number): boolean },
): Set<number> {
  const needed = new Set<number>();
  const open = [graph.output];
  while (open.length > 0) {
    const node = open.pop()!;
    if (node < 0 || given.has(node) || needed.has(node)) continue;
    needed.add(node);
    open.push(...graph.nodes[node]!.inputs);
  }
  return needed;
}
