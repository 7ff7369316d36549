import { describeModel } from "./describe_model.ts";
import type { Model } from "./graph_of.ts";

/**
 * Describes a model as a table: each layer, the shape of its output, its
 * tensors, how many parameters it has and what it costs; running statistics are
 * no parameters. {@linkcode describeModel} gives the same as data.
 *
 * @param model Any layer, or a graph.
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
  const { layers, ...all } = describeModel(model, inputShape);
  const table = [
    ["name", "layer", "output", "tensors", "parameters", "multiply-adds"],
    ...layers.map((one) => [
      one.name,
      one.kind,
      `[${one.outputShape.join(", ")}]`,
      one.tensors.map((shape) => `[${shape.join(", ")}]`).join(" "),
      one.tensors.length === 0 ? "" : grouped(one.parameters),
      one.multiplyAdds === 0 ? "" : grouped(one.multiplyAdds),
    ]),
  ];
  const widths = table[0]!.map((_, column) =>
    Math.max(...table.map((row) => row[column]!.length))
  );
  const lines = table.map((row) =>
    row.map((cell, column) =>
      column >= 4
        ? cell.padStart(widths[column]!)
        : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd()
  );
  return [
    lines[0],
    "-".repeat(Math.max(...lines.map((line) => line.length))),
    ...lines.slice(1),
    `${all.tensors} tensors, ${grouped(all.parameters)} parameters, ` +
    `${grouped(all.multiplyAdds)} multiply-adds`,
  ].join("\n");
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
