import type { Model } from "./graph_of.ts";
import { shapesOf } from "./output_shapes.ts";
import { parametersOf } from "./parameters.ts";
import { elementCount } from "../host_tensor.ts";

/**
 * Describes a model as a table: each layer, the shape of its output and how
 * many parameters it has.
 *
 * @param model Any layer.
 * @param inputShape [channels, height, width] of an image.
 * @returns Lines of text, the last one the totals.
 * @throws {GapcamError} If a layer does not fit what comes before it.
 *
 * @example The seed network
 * ```ts
 * import { summary, vgg } from "@gapcam/gapcam";
 *
 * const text = summary(vgg("vgg16", { classes: 10 }), [3, 224, 224]);
 * if (!text.includes("28 tensors, 14,719,818 parameters")) throw new Error(text);
 * ```
 */
export function summary(
  model: Model,
  inputShape: readonly [number, number, number],
): string {
  const parameters = parametersOf(model);
  const rows = shapesOf(model, inputShape).map(
    ({ name, layer, outputShape }) => {
      const own = parameters.filter((parameter) =>
        parameter.name.slice(
          0,
          Math.max(parameter.name.lastIndexOf("."), 0),
        ) ===
          name
      );
      return [
        name,
        layer.kind,
        `[${outputShape.join(", ")}]`,
        own.map(({ shape }) => `[${shape.join(", ")}]`).join(" "),
        own.length === 0 ? "" : countOf(own).toLocaleString("en-US"),
      ];
    },
  );
  const table = [["name", "layer", "output", "tensors", "parameters"], ...rows];
  const widths = table[0]!.map((_, column) =>
    Math.max(...table.map((row) => row[column]!.length))
  );
  const lines = table.map((row) =>
    row.map((cell, column) =>
      column === 4 ? cell.padStart(widths[4]!) : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd()
  );
  const trainable = parameters.filter((parameter) => parameter.trainable);
  return [
    lines[0],
    "-".repeat(Math.max(...lines.map((line) => line.length))),
    ...lines.slice(1),
    `${trainable.length} tensors, ${
      countOf(trainable).toLocaleString("en-US")
    } parameters`,
  ].join("\n");
}

function countOf(
  parameters: readonly { shape: readonly number[] }[],
): number {
  return parameters.reduce(
    (sum, { shape }) => sum + elementCount(shape),
    0,
  );
}
