import { GapcamError } from "../error.ts";
import {
  batchNorm2d,
  conv2d,
  globalAveragePool,
  type Layer,
  leakyRelu,
  linear,
  maxPool2d,
  sequential,
} from "../nn/layers.ts";

/**
 * Rebuilds a layer from JSON that anybody may have written: only known kinds,
 * and only with values that the functions of `src/nn` accept.
 *
 * @throws {GapcamError} If it is no layer.
 */
export function parseLayer(json: unknown, depth = 0): Layer {
  if (typeof json !== "object" || json === null || depth > 16) {
    throw new GapcamError("bad-data", "a layer is not described by an object");
  }
  const layer = json as Record<string, unknown>;
  switch (layer.kind) {
    case "conv2d":
      return conv2d(
        number(layer, "inputChannels"),
        number(layer, "outputChannels"),
        {
          kernelSize: numbers(layer, "kernelSize"),
          stride: numbers(layer, "stride"),
          padding: numbers(layer, "padding"),
          bias: layer.bias !== false,
        },
      );
    case "leakyRelu":
      return leakyRelu(number(layer, "negativeSlope"));
    case "batchNorm2d":
      return batchNorm2d(number(layer, "channels"), {
        epsilon: number(layer, "epsilon"),
        momentum: number(layer, "momentum"),
      });
    case "maxPool2d":
      return maxPool2d(numbers(layer, "kernelSize"), {
        stride: numbers(layer, "stride"),
        padding: numbers(layer, "padding"),
      });
    case "globalAveragePool":
      return globalAveragePool();
    case "linear":
      return linear(
        number(layer, "inputFeatures"),
        number(layer, "outputFeatures"),
        { bias: layer.bias !== false },
      );
    case "sequential": {
      if (!Array.isArray(layer.layers)) break;
      const named = layer.layers.map((entry): [string, Layer] => {
        if (!Array.isArray(entry) || typeof entry[0] !== "string") {
          throw new GapcamError(
            "bad-data",
            "a layer of a sequence has no name",
          );
        }
        return [entry[0], parseLayer(entry[1], depth + 1)];
      });
      const rebuilt = sequential(
        named.every(([name], i) => name === String(i))
          ? named.map(([, inner]) => inner)
          : Object.fromEntries(named),
      );
      // An object may reorder or merge its keys.
      if (rebuilt.layers.every(([name], i) => name === named[i]![0])) {
        return rebuilt;
      }
      throw new GapcamError("bad-data", "a sequence names its layers twice");
    }
  }
  throw new GapcamError(
    "bad-data",
    `layer kind ${JSON.stringify(layer.kind)} is not known`,
  );
}

function number(layer: Record<string, unknown>, name: string): number {
  const value = layer[name];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new GapcamError("bad-data", `${layer.kind} has no number ${name}`);
}

function numbers(
  layer: Record<string, unknown>,
  name: string,
): [number, number] {
  const value = layer[name];
  if (
    Array.isArray(value) && value.length === 2 &&
    value.every((one) => typeof one === "number")
  ) return value as [number, number];
  throw new GapcamError("bad-data", `${layer.kind} has no pair ${name}`);
}
