import { GapcamError } from "../error.ts";
import type { Sequential } from "../nn/layers/layer.ts";
import { parametersOf } from "../nn/parameters.ts";
import { type KnownModel, MODELS } from "./find_model.ts";

/** A network of {@linkcode MODELS} that a file's tensors belong to. */
export interface RecognisedModel {
  /** Its name, such as `resnet50`. */
  readonly name: string;
  /** How it is described, and what its images are normalised by. */
  readonly known: KnownModel;
  /** The network, with as many classes and channels as the tensors have. */
  readonly model: Sequential;
  /** Number of classes. */
  readonly classes: number;
}

/** How a file's tensors differ from those of a network. */
interface Difference {
  readonly name: string;
  readonly problems: readonly string[];
}

/** Differences that an error names, at most. */
const NAMED = 3;

/**
 * Recognises a network by the names and shapes of its tensors, whatever the
 * number of its classes and of its images' channels.
 *
 * @param shapes Shapes by name, as torchvision's state dicts have them; those
 * of auxiliary heads and counters are passed over.
 * @param asked The one network that it may be. Default: any.
 * @returns The network.
 * @throws {GapcamError} If there is none; the message names the nearest one and
 * how it differs.
 *
 * @example
 * ```ts
 * import { parametersOf } from "@gapcam/gapcam";
 * import { recogniseModel, resnet } from "@gapcam/gapcam/models";
 *
 * const shapes = new Map(
 *   parametersOf(resnet("resnet18", { classes: 3 }))
 *     .map(({ name, shape }) => [name, shape]),
 * );
 * const { name, classes } = recogniseModel(shapes);
 * if (name !== "resnet18" || classes !== 3) throw new Error(name);
 * ```
 */
export function recogniseModel(
  shapes: ReadonlyMap<string, readonly number[]>,
  asked?: string,
): RecognisedModel {
  const found = new Map(
    [...shapes].filter(([name]) =>
      !name.endsWith("num_batches_tracked") &&
      !/^(aux\d|AuxLogits)\./.test(name)
    ),
  );
  let nearest: Difference | undefined;
  for (const [name, known] of Object.entries(MODELS)) {
    if (asked !== undefined && name !== asked) continue;
    const { model, classes } = sized(known, found);
    const problems = differencesOf(model, found);
    if (problems.length === 0) return { name, known, model, classes };
    if (problems.length < (nearest?.problems.length ?? Infinity)) {
      nearest = { name, problems };
    }
  }
  const { name, problems } = nearest!;
  const more = problems.length - NAMED;
  throw new GapcamError(
    "not-found",
    `Cannot recognise the network of ${found.size} tensors: the nearest that ` +
      `is known is ${name}, but ${problems.slice(0, NAMED).join(", ")}` +
      (more > 0 ? ` and ${more} more` : ""),
  );
}

/** A network with the classes and channels that a file's first and last weights have. */
function sized(
  known: KnownModel,
  shapes: ReadonlyMap<string, readonly number[]>,
): { model: Sequential; classes: number } {
  const weights = parametersOf(known.build({ classes: 1 }))
    .filter(({ name }) => name.endsWith(".weight"))
    .filter(({ shape }) => shape.length > 1);
  const classes = shapes.get(weights.at(-1)!.name)?.[0] ?? 1;
  const inputChannels = shapes.get(weights[0]!.name)?.[1] ?? 3;
  const sizes = { classes, inputChannels };
  const positive = Object.values(sizes).every((size) => size >= 1);
  return {
    classes,
    model: known.build(positive ? sizes : { classes: 1 }),
  };
}

function differencesOf(
  model: Sequential,
  shapes: ReadonlyMap<string, readonly number[]>,
): string[] {
  const problems: string[] = [];
  const expected = new Set<string>();
  for (const { name, shape } of parametersOf(model)) {
    expected.add(name);
    const found = shapes.get(name);
    if (found?.join() === shape.join()) continue;
    problems.push(
      found
        ? `${name} is [${found.join(", ")}] in place of [${shape.join(", ")}]`
        : `${name} is missing`,
    );
  }
  for (const name of shapes.keys()) {
    if (!expected.has(name)) problems.push(`${name} is one too many`);
  }
  return problems;
}
