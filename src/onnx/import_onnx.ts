import { printable } from "../_printable.ts";
import { GapcamError } from "../error.ts";
import type { ModelGraph } from "../nn/graph_of.ts";
import type { StateDict } from "../host_tensor.ts";
import { quote } from "../weights/_quote.ts";
import type { StoredTensor } from "../weights/stored_tensor.ts";
import { GraphReader } from "./_graph_reader.ts";
import { refuse, Unreadable } from "./_unreadable.ts";
import { tidied } from "./_tidy.ts";
import type { Computed } from "./_values.ts";
import { isIdle, readerOf } from "./operators/_operators.ts";
import type { OnnxFile } from "./parse_onnx.ts";

/** A network that an ONNX file holds. */
export interface ImportedOnnx {
  /** What it computes, from normalised images [N, C, H, W] to logits. */
  readonly model: ModelGraph;
  /** Its parameters and running statistics. */
  readonly state: StateDict;
  /** Channels, height and width of the images. */
  readonly image: readonly [channels: number, height: number, width: number];
  /** Texts that the file carries. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What was assumed or left out, in sentences. */
  readonly notes: readonly string[];
}

/** Operators that an error names, at most. */
const NAMED = 6;

/**
 * Makes a network of what an ONNX file says.
 *
 * @param file What {@linkcode parseOnnx} gives.
 * @param weights Its initialisers, those of other files read.
 * @param options `imageSize`: height and width where the file leaves them free
 * (default: 224).
 * @throws {GapcamError} If an operator is not known or not in a form that is;
 * all of them are named. The message does not name the file.
 */
export function importOnnx(
  file: OnnxFile,
  weights: ReadonlyMap<string, StoredTensor>,
  options: { imageSize?: number } = {},
): ImportedOnnx {
  const { name, value, image, notes } = imageOf(file, options.imageSize);
  const reader = new GraphReader(file, weights, { name, value });
  reader.notes.push(...notes);
  const problems: string[] = [];
  for (const node of file.nodes) {
    reader.begin(node);
    if (reader.isCutOff) {
      reader.giveUp();
      continue;
    }
    const problem = problemOf(reader);
    if (problem === undefined) continue;
    const operator = printable(node.operator, 60);
    problems.push(
      `${operator} (${printable(node.name, 60)})${brief(problem)}`,
    );
    reader.giveUp();
  }
  if (problems.length > 0) {
    const more = problems.length - NAMED;
    refuse(
      `${
        problems.length === 1
          ? "one operator is"
          : `${problems.length} operators are`
      } ` +
        `not supported: ${problems.slice(0, NAMED).join("; ")}` +
        (more > 0 ? `; and ${more} more` : ""),
    );
  }
  const { model, state } = tidied(
    reader.graph(outputOf(file, reader)),
    reader.state,
  );
  return { model, state, image, metadata: file.metadata, notes: reader.notes };
}

/** A problem that a file may have made long. */
function brief(problem: string): string {
  const cut = problem.length > 120 ? `${problem.slice(0, 119)}\u2026` : problem;
  return printable(cut);
}

function problemOf(reader: GraphReader): string | undefined {
  const { operator } = reader.current;
  const read = readerOf(operator);
  if (!read) return "";
  try {
    read(reader);
    const [unread] = reader.unread.filter((name) => !isIdle(operator, name));
    return unread === undefined
      ? undefined
      : `: its attribute ${unread} is not known`;
  } catch (error) {
    if (error instanceof Unreadable) return `: ${error.message}`;
    if (error instanceof GapcamError) return `: ${error.message}`;
    throw error;
  }
}

/** What the file says of its images where it leaves their size free. */
function sizeOf({ metadata }: OnnxFile): number | undefined {
  const text = metadata["imageSize"] ?? "";
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : undefined;
}

function imageOf(file: OnnxFile, asked?: number): {
  name: string;
  value: Computed;
  image: readonly [number, number, number];
  notes: string[];
} {
  const [input, ...others] = file.inputs;
  if (!input || others.length > 0) {
    refuse(
      `it takes ${file.inputs.length} inputs, expected one batch of images`,
    );
  }
  const [, first, second, third] = input.shape;
  if (input.shape.length !== 4) {
    refuse(
      `its input has ${input.shape.length} dimensions, expected images ` +
        "[N, channels, height, width]",
    );
  }
  const notes: string[] = [];
  const last = third !== undefined && third <= 4 &&
    !(first !== undefined && first <= 4);
  const [channels, height, width] = last
    ? [third, first, second]
    : [first, second, third];
  if (channels === undefined || channels > 4) {
    refuse(
      `its images have ${channels ?? "any number of"} channels, expected 1 ` +
        "or 3",
    );
  }
  const known = asked ?? sizeOf(file);
  const size = known ?? 224;
  if (known === undefined && (height === undefined || width === undefined)) {
    notes.push(
      `the file leaves the images' size free; ${size} x ${size} is taken`,
    );
  }
  const image = [channels, height ?? size, width ?? size] as const;
  return {
    name: input.name,
    image,
    notes,
    value: {
      constant: false,
      node: -1,
      shape: image,
      ...(last ? { last: true } : {}),
    },
  };
}

function outputOf(file: OnnxFile, reader: GraphReader): Computed {
  for (const { name } of file.outputs) {
    const value = reader.valueNamed(name);
    if (!value || value.constant || value.node < 0) continue;
    if (value.shape.length === 1 && value.pending === undefined) return value;
  }
  const [output] = file.outputs;
  const value = output && reader.valueNamed(output.name);
  refuse(
    "it ends in no list of one number a class" +
      (value && !value.constant
        ? `: its output ${quote(output.name)} is [N, ${value.shape.join(", ")}]`
        : ""),
  );
}
