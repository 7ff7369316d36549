import { GapcamError } from "../error.ts";
import type { HostTensor } from "../host_tensor.ts";
import {
  type Classifier,
  classifierOf,
  outputsOf,
} from "../nn/classifier_of.ts";
import type { Network } from "../nn/network.ts";

/** What classes weigh the last map's channels by, and what they add. */
export interface HeadWeights {
  /** [classes, channels]. */
  readonly weight: HostTensor;
  /** [classes]. */
  readonly bias: Float32Array;
}

/**
 * The weights of a network's head.
 *
 * @throws {GapcamError} If global average pooling does not feed it.
 */
export function headWeights(network: Network): HeadWeights {
  const head = classifierOf(network.graph);
  if (head) {
    return head.linear ? linearOf(network, head.linear) : ownChannels(network);
  }
  throw new GapcamError(
    "unsupported",
    `Cannot explain the network: ${endOf(network)}, expected ` +
      "globalAveragePool and at most one linear behind it",
  );
}

/** What the last layers are, for an error. */
function endOf({ graph }: Network): string {
  const kinds = graph.nodes.map(({ layer }) => layer.kind)
    .filter((kind) => kind !== "dropout");
  return `its last layers are ${kinds.slice(-2).join(" and ")}`;
}

/** The weights of a class are those of the linear layer. */
function linearOf(
  network: Network,
  { name, layer }: NonNullable<Classifier["linear"]>,
): { weight: HostTensor; bias: Float32Array } {
  const weight = network.tensor(`${name}.weight`);
  return {
    weight: { shape: weight.shape, data: weight.read() },
    bias: layer.bias
      ? network.tensor(`${name}.bias`).read()
      : new Float32Array(layer.outputFeatures),
  };
}

/** A class weighs its own channel by 1, and no other. */
function ownChannels({ graph }: Network): {
  weight: HostTensor;
  bias: Float32Array;
} {
  const classes = outputsOf(graph);
  if (classes === undefined) {
    throw new GapcamError(
      "unsupported",
      "Cannot explain the network: its last layers do not say how many " +
        "classes it has",
    );
  }
  const data = new Float32Array(classes * classes);
  for (let i = 0; i < classes; i++) data[i * (classes + 1)] = 1;
  return {
    weight: { shape: [classes, classes], data },
    bias: new Float32Array(classes),
  };
}
