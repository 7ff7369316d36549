import type { DescribedLayer, ModelDescription } from "../nn/describe_model.ts";

/** Layers that are drawn as one box, one after the other. */
export interface Box {
  /** Its layers; none of the box that is the image. */
  layers: DescribedLayer[];
  /** Numbers of the boxes that it reads, each once. */
  inputs: number[];
  /** Its row, from 0. */
  row: number;
  /** Which of the columns it stands in. */
  lane: number;
}

/** A line from one box to another. */
export interface Edge {
  from: number;
  to: number;
  /** Where it goes past rows without a box; undefined from row to row. */
  lane: number | undefined;
}

/** Boxes and lines; lanes that only lines take may be narrow. */
export interface GraphLayout {
  boxes: Box[];
  edges: Edge[];
  rows: number;
  lanes: number;
}

/** What stands with the layer before it: it keeps the shape and costs nothing. */
const LIGHT: ReadonlySet<string> = new Set([
  "batchNorm2d",
  "leakyRelu",
  "clip",
  "sigmoid",
  "silu",
  "hardSigmoid",
  "hardSwish",
  "gelu",
  "dropout",
  "stochasticDepth",
  "flatten",
]);

/**
 * Places the layers of a model in rows, each below all that it reads, and
 * branches in columns of their own, the longest in the column that they leave.
 */
export function layOut({ layers }: ModelDescription): GraphLayout {
  const boxes = boxesOf(layers);
  for (const box of boxes) {
    box.row = Math.max(-1, ...box.inputs.map((i) => boxes[i]!.row)) + 1;
  }
  const edges = boxes.flatMap((box, to) =>
    box.inputs.map((from): Edge => ({ from, to, lane: undefined }))
  );
  const lanes = new Lanes();
  const leaving = Map.groupBy(edges, ({ from }) => from);
  const begin = (at: number, near: number) => {
    const strand = strandFrom(at, { boxes, leaving });
    const last = strand.at(-1)!;
    const [only] = leaving.get(last) ?? [];
    // A branch that is shorter than the others keeps its column to their end.
    const end = leaving.get(last)?.length === 1
      ? boxes[only!.to]!.row - 1
      : boxes[last]!.row;
    const lane = lanes.take(boxes[at]!.row, end, near);
    for (const box of strand) boxes[box]!.lane = lane;
    if (end > boxes[last]!.row) only!.lane = lane;
  };
  boxes.forEach((box, number) => {
    if (box.lane >= 0) return leave(number);
    const near = Math.min(
      ...box.inputs.map((i) => boxes[i]!.lane),
      box.inputs.length === 0 ? 0 : Infinity,
    );
    begin(number, near);
    leave(number);
  });

  /** Gives those that read a box their columns, where it ends a strand. */
  function leave(number: number): void {
    const { lane, row } = boxes[number]!;
    const out = [...leaving.get(number) ?? []]
      .sort((a, b) => boxes[b.to]!.row - boxes[a.to]!.row)
      .sort((a, b) =>
        Number(boxes[b.to]!.inputs.length === 1) -
        Number(boxes[a.to]!.inputs.length === 1)
      )
      .sort((a, b) => strandLength(b) - strandLength(a));
    for (const edge of out) {
      const to = boxes[edge.to]!;
      if (to.lane < 0 && to.inputs.length === 1) begin(edge.to, lane);
      else if (to.row > row + 1 && edge.lane === undefined) {
        edge.lane = lanes.take(row + 1, to.row - 1, lane);
      }
    }
  }

  function strandLength({ to }: Edge): number {
    return boxes[to]!.inputs.length === 1
      ? strandFrom(to, { boxes, leaving }).length
      : 0;
  }

  return {
    boxes,
    edges,
    rows: Math.max(...boxes.map(({ row }) => row)) + 1,
    lanes: lanes.count,
  };
}

/** Boxes from one on, each of which is all that the next reads and it alone. */
function strandFrom(
  at: number,
  { boxes, leaving }: {
    boxes: readonly Box[];
    leaving: ReadonlyMap<number, readonly Edge[]>;
  },
): number[] {
  const strand = [at];
  for (let box = at;;) {
    const out = leaving.get(box) ?? [];
    if (out.length !== 1 || boxes[out[0]!.to]!.inputs.length !== 1) break;
    box = out[0]!.to;
    strand.push(box);
  }
  return strand;
}

/** Which columns are taken in which rows. */
class Lanes {
  readonly #taken: [number, number][][] = [];

  get count(): number {
    return this.#taken.length;
  }

  /** Takes the column that is nearest to one and free from row to row. */
  take(first: number, last: number, near: number): number {
    const isFree = (lane: number) =>
      (this.#taken[lane] ?? []).every(([from, to]) =>
        to < first || from > last
      );
    let lane = near;
    // Outwards, to the right first.
    for (let distance = 0;; distance++) {
      if (isFree(near + distance)) {
        lane = near + distance;
        break;
      }
      if (near - distance >= 0 && isFree(near - distance)) {
        lane = near - distance;
        break;
      }
    }
    while (this.#taken.length <= lane) this.#taken.push([]);
    this.#taken[lane]!.push([first, last]);
    return lane;
  }
}

/** The image, then boxes of layers that follow each other. */
function boxesOf(layers: readonly DescribedLayer[]): Box[] {
  const readers = new Array<number>(layers.length).fill(0);
  for (const { inputs } of layers) {
    for (const input of inputs) if (input >= 0) readers[input]!++;
  }
  const boxes: Box[] = [{ layers: [], inputs: [], row: 0, lane: -1 }];
  const boxOf: number[] = [];
  layers.forEach((layer, number) => {
    const [first] = layer.inputs;
    const before = first === undefined || first < 0 ? 0 : boxOf[first]!;
    const joins = layer.inputs.length === 1 && before > 0 &&
      readers[first!] === 1 &&
      boxes[before]!.layers.at(-1) === layers[first!] &&
      belongs(layer, boxes[before]!);
    if (joins) {
      boxes[before]!.layers.push(layer);
      boxOf[number] = before;
      return;
    }
    const inputs = [
      ...new Set(layer.inputs.map((i) => i < 0 ? 0 : boxOf[i]!)),
    ];
    boxOf[number] = boxes.length;
    boxes.push({ layers: [layer], inputs, row: 0, lane: -1 });
  });
  return boxes;
}

/** Whether a layer stands in the box of the one before it. */
function belongs(layer: DescribedLayer, { layers }: Box): boolean {
  if (LIGHT.has(layer.kind)) return true;
  // What normalises before a convolution stands with it.
  return layer.kind === "conv2d" && layers.every(({ kind }) => LIGHT.has(kind));
}
