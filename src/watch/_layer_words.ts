import type { NodeLayer } from "../nn/layers/_kinds.ts";

/** What a layer does, in a few words. */
export function layerWords(layer: NodeLayer): string {
  switch (layer.kind) {
    case "conv2d": {
      const { kernelSize, stride, groups = 1, dilation } = layer;
      return [
        groups > 1 && groups === layer.inputChannels
          ? "depthwise conv"
          : "conv",
        `${size(kernelSize)}${strideWords(stride)}`,
        groups > 1 && groups !== layer.inputChannels ? `${groups} groups` : "",
        dilation ? `dilated ${size(dilation)}` : "",
      ].filter((part) => part).join(" ");
    }
    case "maxPool2d":
    case "averagePool2d":
      return `${layer.kind === "maxPool2d" ? "max" : "average"} pool ${
        size(layer.kernelSize)
      }${strideWords(layer.stride)}`;
    case "globalAveragePool":
      return "global average pool";
    case "batchNorm2d":
      return "BN";
    case "leakyRelu":
      return layer.negativeSlope === 0
        ? "ReLU"
        : `leaky ReLU ${Number(layer.negativeSlope.toPrecision(4))}`;
    case "clip":
      return layer.minimum === 0 && layer.maximum === 6
        ? "ReLU6"
        : `clip to ${layer.minimum}..${layer.maximum}`;
    case "silu":
      return "SiLU";
    case "gelu":
      return "GELU";
    case "hardSwish":
      return "hard swish";
    case "hardSigmoid":
      return "hard sigmoid";
    case "dropout":
      return `dropout ${layer.probability}`;
    case "stochasticDepth":
      return `stochastic depth ${Number(layer.probability.toPrecision(2))}`;
    case "channelShuffle":
      return `shuffle ${layer.groups} groups`;
    case "sliceChannels":
      return `channels ${layer.start} to ${layer.end - 1}`;
    default:
      return layer.kind;
  }
}

function size([rows, columns]: readonly [number, number]): string {
  return `${rows}x${columns}`;
}

function strideWords([down, across]: readonly [number, number]): string {
  if (down === 1 && across === 1) return "";
  return down === across ? ` /${down}` : ` /${down}x${across}`;
}
