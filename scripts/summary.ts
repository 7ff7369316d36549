/**
 * `deno task summary`: what a network is made of, and what it costs.
 *
 * @module
 */

import { writeAtomically } from "../src/_write_atomically.ts";
import { printable } from "../src/_printable.ts";
import { GapcamError } from "../src/error.ts";
import { MODELS } from "../src/models/find_model.ts";
import { MODEL_NAMES, parseModel } from "../src/models/model_config.ts";
import { vgg } from "../src/models/vgg.ts";
import {
  type DescribedLayer,
  describeModel,
  type ModelDescription,
} from "../src/nn/describe_model.ts";
import type { Model } from "../src/nn/graph_of.ts";
import { readOnnx } from "../src/onnx/read_onnx.ts";
import { layerWords } from "../src/watch/_layer_words.ts";
import { modelSvg } from "../src/watch/model_svg.ts";
import {
  type Flag,
  type FlagValues,
  runCommand,
  userPath,
} from "./_command.ts";
import { isOnnxName } from "./_import_network.ts";
import { assertNoRun, chosenRun, openCheckpoint, shownPath } from "./_runs.ts";
import { formatTable } from "./_table.ts";

/** Classes of a network that is only named: ImageNet's. */
const CLASSES = 1000;

const FLAGS = {
  "image-size": {
    type: "integer",
    min: 1,
    max: 8192,
    help: "height and width of the images",
    default: "what the network takes, else 224",
    placeholder: "PIXELS",
  },
  classes: {
    type: "integer",
    min: 1,
    max: 100_000,
    help: "classes of a network that is only named",
    default: String(CLASSES),
  },
  channels: {
    type: "integer",
    min: 1,
    max: 4,
    help: "channels of its images",
    default: "3",
  },
  "batch-norm": {
    type: "boolean",
    negatable: true,
    help: "batch normalisation in a VGG that is only named",
    default: "no",
  },
  svg: {
    type: "string",
    help: "draw the graph as well",
    placeholder: "FILE",
  },
  json: { type: "boolean", help: "print one JSON object" },
} as const satisfies Record<string, Flag>;

/** A network that was found, and what it is called. */
interface Found {
  name: string;
  model: Model;
  image: [number, number, number];
  /** The file that it was read from, if it was. */
  source?: string;
}

async function main(flags: FlagValues<typeof FLAGS>): Promise<void> {
  const [name, ...more] = flags.positional;
  if (more.length > 0) {
    fail(
      `Cannot describe ${flags.positional.length} networks at once: name one`,
    );
  }
  const found = await find(name, flags);
  const description = describeModel(found.model, found.image);
  let svg: string | undefined;
  if (flags.svg !== undefined) {
    svg = userPath(flags.svg);
    await assertNoRun(svg, found.source);
    const text = modelSvg(description, { name: found.name });
    await writeAtomically(svg, [new TextEncoder().encode(text)]);
  }
  if (flags.json) {
    console.log(JSON.stringify({
      name: found.name,
      ...(found.source ? { source: found.source } : {}),
      ...description,
      ...(svg ? { svg } : {}),
    }));
    return;
  }
  print(found, description);
  if (svg) console.log(`Drawn in ${shownPath(svg)}.`);
}

/** The network that a user means: by its name, or what a file or a run holds. */
async function find(
  name: string | undefined,
  flags: FlagValues<typeof FLAGS>,
): Promise<Found> {
  const size = flags["image-size"];
  const named = name === undefined ? undefined : namedModel(name, flags);
  if (named) return named;
  for (const flag of ["classes", "channels", "batch-norm"] as const) {
    if (flags[flag] === undefined) continue;
    fail(
      `Cannot describe ${
        name ?? "a run"
      } with --${flag}: its network is given; only ` +
        "one that is named has a choice",
    );
  }
  if (name !== undefined && isOnnxName(name)) {
    const source = userPath(name);
    const { model, image, notes } = await readOnnx(
      source,
      size === undefined ? {} : { imageSize: size },
    );
    for (const note of notes) console.error(`note: ${note}`);
    const [channels, height, width] = image;
    return {
      ...{ name: shownPath(source), model, source },
      image: [channels, size ?? height, size ?? width],
    };
  }
  const { source, checkpoint } = await chosenRun(name, {
    load: async (source) => ({
      source,
      checkpoint: await openCheckpoint(source),
    }),
  }).catch((error) => {
    if (
      !(error instanceof GapcamError) || error.code !== "not-found" ||
      name === undefined || name.includes("/")
    ) throw error;
    throw new GapcamError(
      error.code,
      `Cannot find ${name}: there is no file, no run and no network of that ` +
        "name; docs/networks.md lists the networks",
      { cause: error },
    );
  });
  const { model, modelName, training } = checkpoint;
  const side = size ?? training.imageSize;
  return {
    ...{ name: `${modelName} of ${shownPath(source)}`, model, source },
    image: [training.mean.length, side, side],
  };
}

/** A network that is known by name, or a list as 32,32,M,64. */
function namedModel(
  name: string,
  flags: FlagValues<typeof FLAGS>,
): Found | undefined {
  const { classes = CLASSES, channels = 3 } = flags;
  const known = Object.hasOwn(MODELS, name) ? MODELS[name] : undefined;
  const side = flags["image-size"] ?? known?.imageSize ?? 224;
  const image: Found["image"] = [channels, side, side];
  if (known) {
    if (flags["batch-norm"] !== undefined) {
      fail(
        `Cannot describe ${name} with --batch-norm: its layers are as published`,
      );
    }
    const model = known.build({ classes, inputChannels: channels });
    return { name, model, image };
  }
  if (!MODEL_NAMES.includes(name) && !/^\d+(,(\d+|M))*$/.test(name)) {
    return undefined;
  }
  const model = vgg(parseModel(name), {
    ...{ classes, inputChannels: channels },
    batchNorm: flags["batch-norm"] ?? false,
  });
  return { name, model, image };
}

function print({ name, image }: Found, all: ModelDescription): void {
  const { layers } = all;
  const [channels, height, width] = image;
  console.log(
    `${printable(name)}, images of ${height} x ${width} with ${channels} ` +
      `${channels === 1 ? "channel" : "channels"}\n`,
  );
  const rows = layers.map((one, number) => [
    printable(one.name, 80),
    layerWords(one.layer),
    one.outputShape.join(" x "),
    one.parameters === 0 ? "" : grouped(one.parameters),
    one.multiplyAdds === 0 ? "" : grouped(one.multiplyAdds),
    readsOf(one, number, layers),
  ]);
  const titles = [
    "name",
    "layer",
    "output",
    "parameters",
    "multiply-adds",
    "reads",
  ];
  console.log(formatTable(titles, rows, { right: [3, 4] }));
  const deep = layers.filter(({ multiplyAdds }) => multiplyAdds > 0).length;
  console.log(
    `\n${grouped(all.parameters)} parameters in ${all.tensors} tensors, ` +
      `${grouped(all.multiplyAdds)} multiply-adds an image, in ${deep} ` +
      "convolutions and linear layers",
  );
}

/** Which layers one reads, where that is not the one above it alone. */
function readsOf(
  { inputs }: DescribedLayer,
  number: number,
  layers: readonly DescribedLayer[],
): string {
  if (inputs.join() === String(number - 1)) return "";
  return inputs.map((input) =>
    input < 0 ? "the image" : printable(layers[input]!.name, 80)
  ).join(", ");
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

function fail(message: string): never {
  throw new GapcamError("invalid-argument", message);
}

await runCommand({
  name: "summary",
  summary: "Lists the layers of a network with their shapes, parameters and " +
    "cost: one of a run, a checkpoint, an ONNX file, or one that is known by name.",
  usage: "[FLAGS] [FILE | RUN | MODEL]",
  positional: true,
  flags: FLAGS,
}, main);
