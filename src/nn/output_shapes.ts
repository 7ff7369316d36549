import { GapcamError } from "../error.ts";
import { type GraphNode, graphOf, type Model } from "./graph_of.ts";
import { kindOf } from "./layers/_kinds.ts";
import { Misfit, type Shape } from "./layers/_layer_kind.ts";

/** A node of a model's graph and the shape of what it makes, without the batch. */
export interface ShapedNode extends GraphNode {
  /** [channels, height, width], or [features] after global average pooling. */
  readonly outputShape: readonly number[];
}

/**
 * Follows an image through a model.
 *
 * @param model Any layer.
 * @param inputShape [channels, height, width] of an image.
 * @returns Each node of the graph and the shape of its output.
 * @throws {GapcamError} If a layer does not fit what comes before it, or the
 * image is too small for the pools.
 *
 * @example The last map of the seed network
 * ```ts
 * import { shapesOf, vgg } from "@gapcam/gapcam";
 *
 * const layers = shapesOf(vgg("vgg16", { classes: 10 }), [3, 224, 224]);
 * const last = layers.find(({ name }) => name === "features.30");
 * if (last?.outputShape.join() !== "512,7,7") throw new Error();
 * ```
 */
export function shapesOf(
  model: Model,
  inputShape: readonly [number, number, number],
): ShapedNode[] {
  for (const size of inputShape) {
    if (Number.isSafeInteger(size) && size >= 1) continue;
    throw new GapcamError(
      "invalid-argument",
      `Cannot follow an image of shape [${inputShape.join(", ")}]: ` +
        "expected three positive whole numbers",
    );
  }
  const { nodes } = graphOf(model);
  try {
    const shapes = follow(nodes, inputShape);
    return nodes.map((node, i) => ({ ...node, outputShape: shapes[i]! }));
  } catch (error) {
    if (!(error instanceof NodeMisfit)) throw error;
    const { node: { name, layer }, needed, inputs } = error;
    const found = inputs.map((shape) => `[${shape.join(", ")}]`).join(" and ");
    throw new GapcamError(
      "shape-mismatch",
      `Cannot build layer ${name || layer.kind} (${layer.kind}): ` +
        (needed
          ? `it takes ${needed}, found ${found}`
          : tooSmall(nodes, inputShape)),
    );
  }
}

/** A node that its inputs do not fit. */
class NodeMisfit extends Misfit {
  constructor(
    readonly node: GraphNode,
    readonly inputs: readonly Shape[],
    misfit: Misfit,
  ) {
    super(misfit.needed);
  }
}

/** The shape of each node's output. */
function follow(nodes: readonly GraphNode[], image: Shape): Shape[] {
  const shapes: Shape[] = [];
  for (const node of nodes) {
    const inputs = node.inputs.map((i) => i < 0 ? image : shapes[i]!);
    try {
      const shape = kindOf(node.layer)
        .outputShape(node.layer, inputs as [Shape, ...Shape[]]);
      shapes.push(shape);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      throw new NodeMisfit(node, inputs, error);
    }
  }
  return shapes;
}

function tooSmall(
  nodes: readonly GraphNode[],
  [channels, height, width]: readonly [number, number, number],
): string {
  const pools = nodes.filter(({ layer }) => layer.kind === "maxPool2d").length;
  const least = leastSizes(nodes, channels);
  return `an image of ${height} x ${width} is too small for the model's ` +
    `${pools > 0 ? `${pools} pools` : "windows"}; use at least ` +
    `${least.height} x ${least.width}`;
}

/**
 * The smallest image that leaves a pixel of every map in a model.
 *
 * @param model Any model.
 * @param channels Channels of the image.
 * @returns Least height and width, in pixels.
 *
 * @example Five pools halve five times
 * ```ts
 * import { leastImageSize, vgg } from "@gapcam/gapcam";
 *
 * const { height, width } = leastImageSize(vgg("vgg16", { classes: 10 }), 3);
 * if (height !== 32 || width !== 32) throw new Error();
 * ```
 */
export function leastImageSize(
  model: Model,
  channels: number,
): { height: number; width: number } {
  return leastSizes(graphOf(model).nodes, channels);
}

function leastSizes(
  nodes: readonly GraphNode[],
  channels: number,
): { height: number; width: number } {
  const fits = (rows: number, columns: number) => {
    try {
      follow(nodes, [channels, rows, columns]);
      return true;
    } catch (error) {
      if (error instanceof Misfit) return false;
      throw error;
    }
  };
  // A side at a time, with the other one as large as any model needs.
  return {
    height: leastSize((size) => fits(size, LARGEST)),
    width: leastSize((size) => fits(LARGEST, size)),
  };
}

/** More than any image has. */
const LARGEST = 2 ** 24;

/** The least size that fits, by halving. */
function leastSize(fits: (size: number) => boolean): number {
  let [low, high] = [0, LARGEST];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return high;
}
