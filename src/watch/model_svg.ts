import { printable } from "../_printable.ts";
import { shorten, textWidth } from "../image/_text.ts";
import type { DescribedLayer, ModelDescription } from "../nn/describe_model.ts";
import { type Box, type GraphLayout, layOut } from "./_graph_layout.ts";
import { layerWords } from "./_layer_words.ts";

const BOX = { width: 196, height: 74 } as const;
/** Of a column that only lines pass. */
const NARROW = 18;
const GAP = { x: 22, y: 30 } as const;
const MARGIN = 20, HEAD = 44;
/** Room for text in a box, and the size that it is measured in: letters differ. */
const ROOM = BOX.width - 14, SIZE = 12;

/** Colours of boxes, by what they do; the first that fits. */
const FILLS: readonly (readonly [RegExp, string])[] = [
  [/^$/, "#eceff1"],
  [/conv2d/, "#dbe9f8"],
  [/linear/, "#e3dcf5"],
  [/Pool/, "#fbe6d0"],
  [/^(add|multiply|concatenate)/, "#e0f0dc"],
];

/**
 * Draws a model as SVG: boxes from the image down to the logits, with the shape,
 * the parameters and the cost of each, branches side by side. A convolution and
 * what follows it without changing the shape are one box; the bar below shows
 * its share of the cost. Each box has its layers in full as its title.
 *
 * @param description See {@linkcode describeModel}.
 * @param options The name to write above.
 * @returns A file's text.
 *
 * @example
 * ```ts
 * import { describeModel, modelSvg, vgg } from "@gapcam/gapcam";
 *
 * const described = describeModel(vgg([8, "M"], { classes: 2 }), [3, 32, 32]);
 * if (!modelSvg(described, { name: "small" }).includes("8 x 32 x 32")) {
 *   throw new Error("unexpected");
 * }
 * ```
 */
export function modelSvg(
  description: ModelDescription,
  options: { name?: string } = {},
): string {
  const layout = layOut(description);
  const columns = columnsOf(layout);
  const right = columns.at(-1)!;
  const title = titleOf(description, options.name);
  const width = Math.max(right.x + right.width + MARGIN, 40 + 8 * title.length);
  const y = (row: number) => MARGIN + HEAD + row * (BOX.height + GAP.y);
  const height = y(layout.rows) - GAP.y + MARGIN;
  const most = Math.max(1, ...layout.boxes.map(costOf));
  const boxes = layout.boxes.map((box) => {
    const { x, width } = columns[box.lane]!;
    return boxSvg(box, {
      x: x + (width - BOX.width) / 2,
      y: y(box.row),
      inputShape: description.inputShape,
      share: costOf(box) / most,
    });
  });
  const lines = layout.edges.map(({ from, to, lane }) => {
    const center = (one: number) => columns[one]!.x + columns[one]!.width / 2;
    const [above, below] = [layout.boxes[from]!, layout.boxes[to]!];
    const start = y(above.row) + BOX.height, end = y(below.row);
    const path = [`M${center(above.lane)} ${start}`];
    const curve = (fromX: number, fromY: number, toX: number) => {
      const toY = fromY + GAP.y, middle = fromY + GAP.y / 2;
      path.push(`C${fromX} ${middle} ${toX} ${middle} ${toX} ${toY}`);
    };
    if (lane === undefined) {
      curve(center(above.lane), start, center(below.lane));
    } else {
      curve(center(above.lane), start, center(lane));
      path.push(`V${end - GAP.y}`);
      curve(center(lane), end - GAP.y, center(below.lane));
    }
    return `<path d="${path.join("")}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" ` +
    `height="${height}" viewBox="0 0 ${width} ${height}" role="img" ` +
    `font-family="DejaVu Sans, Verdana, sans-serif" font-size="11">\n` +
    `<title>${escaped(title)}</title>\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n` +
    `<text x="${MARGIN}" y="${MARGIN + 14}" font-size="14" ` +
    `font-weight="bold">${escaped(title)}</text>\n` +
    `<g fill="none" stroke="#78909c" stroke-width="1.5">\n${
      lines.join("\n")
    }\n</g>\n${boxes.join("\n")}\n</svg>\n`;
}

/** Where each column is; those without a box are narrow. */
function columnsOf(
  { boxes, lanes }: GraphLayout,
): { x: number; width: number }[] {
  const wide = new Set(boxes.map(({ lane }) => lane));
  let x: number = MARGIN;
  return Array.from({ length: lanes }, (_, lane) => {
    const width = wide.has(lane) ? BOX.width : NARROW;
    const column = { x, width };
    x += width + (wide.has(lane) ? GAP.x : 0);
    return column;
  });
}

function titleOf(
  { parameters, multiplyAdds, inputShape }: ModelDescription,
  name: string | undefined,
): string {
  return `${name === undefined ? "" : `${printable(name, 80)}: `}${
    rounded(parameters)
  } parameters, ${rounded(multiplyAdds)} multiply-adds for ${
    shape(inputShape)
  }`;
}

function costOf({ layers }: Box): number {
  return layers.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
}

function boxSvg(
  box: Box,
  at: {
    x: number;
    y: number;
    inputShape: readonly number[];
    share: number;
  },
): string {
  const { x, y, inputShape, share } = at;
  const { layers } = box;
  const main = layers.find(({ multiplyAdds }) => multiplyAdds > 0) ?? layers[0];
  const parameters = layers.reduce((sum, one) => sum + one.parameters, 0);
  const cost = costOf(box);
  const kinds = layers.map(({ kind }) => kind).join(" ");
  const fill = FILLS.find(([pattern]) => pattern.test(kinds))?.[1] ?? "#f3f3f3";
  const numbers = [
    parameters > 0 ? `${rounded(parameters)} parameters` : "",
    cost > 0 ? rounded(cost) : "",
  ].filter((part) => part).join(", ");
  const texts = [
    [endOf(main?.name || main?.kind || "image"), ' font-weight="bold"'],
    [shorten(
      layers.map(({ layer }) => layerWords(layer)).join(", "),
      ROOM,
      SIZE,
    )],
    [shape(layers.at(-1)?.outputShape ?? inputShape)],
    [numbers, ' fill="#455a64"'],
  ].filter(([text]) => text !== "").map(([text, style = ""], row) =>
    `<text x="${x + 8}" y="${y + 15 + 16 * row}"${style}>${
      escaped(text!)
    }</text>`
  );
  const bar = Math.round((BOX.width - 2) * share);
  return `<g><title>${escaped(titleOfBox(layers, inputShape))}</title>` +
    `<rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" ` +
    `rx="5" fill="${fill}" stroke="#78909c"/>` +
    (bar > 0
      ? `<rect x="${x + 1}" y="${
        y + BOX.height - 5
      }" width="${bar}" height="4" fill="#1f5ba8"/>`
      : "") +
    texts.join("") +
    "</g>";
}

function titleOfBox(
  layers: readonly DescribedLayer[],
  inputShape: readonly number[],
): string {
  if (layers.length === 0) return `image, ${shape(inputShape)}`;
  return layers.map((one) =>
    [
      printable(one.name, 200) || one.kind,
      layerWords(one.layer),
      shape(one.outputShape),
      one.parameters > 0
        ? `${one.parameters.toLocaleString("en-US")} parameters`
        : "",
      one.multiplyAdds > 0
        ? `${one.multiplyAdds.toLocaleString("en-US")} multiply-adds`
        : "",
    ].filter((part) => part).join(", ")
  ).join("\n");
}

function shape(sizes: readonly number[]): string {
  return sizes.join(" x ");
}

/** A number to three digits, as `1.81 G`. */
function rounded(value: number): string {
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) {
    if (value >= unit) {
      return `${Number((value / unit).toPrecision(3))} ${name}`;
    }
  }
  return String(value);
}

/** A name's last parts are what tells it from its neighbours. */
function endOf(name: string): string {
  const text = printable(name, 200);
  if (textWidth(text, SIZE) <= ROOM) return text;
  const letters = Array.from(text);
  while (textWidth(`…${letters.join("")}`, SIZE) > ROOM) letters.shift();
  const end = letters.join("");
  const dot = end.indexOf(".");
  return `…${dot < 0 ? end : end.slice(dot + 1)}`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
