import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  conv2d,
  GapcamError,
  globalAveragePool,
  initialise,
  type Layer,
  linear,
  maxPool2d,
  Network,
  openDevice,
  readCheckpoint,
  relu,
  sequential,
  trainingConfig,
  vgg,
  writeCheckpoint,
} from "../../mod.ts";
import { noTotals } from "../../src/train/checkpoint.ts";
import { encodeSafetensors } from "../../src/weights/write_safetensors.ts";
import {
  checkpointMetadata,
  parseCheckpoint,
} from "../../src/train/checkpoint.ts";

/** A composition that no VGG has. */
const MODEL: Layer = sequential({
  stem: sequential([
    conv2d(3, 4, {
      kernelSize: [3, 5],
      stride: 2,
      padding: [1, 2],
      bias: false,
    }),
    relu(),
    maxPool2d(3, { stride: 2, padding: 1 }),
  ]),
  pool: globalAveragePool(),
  head: linear(4, 2, { bias: false }),
});

function checkpoint() {
  return {
    modelName: "custom",
    model: MODEL,
    classes: ["cat", "dog"],
    dataset: { name: "pets", folder: "/pets", trainLimit: 7 },
    training: trainingConfig({ imageSize: 8 }),
    progress: {
      epoch: 1,
      batch: 2,
      step: 30,
      epochTotals: { lossSum: 1.5, steps: 2, correct: 3, images: 4 },
      intervalTotals: noTotals(),
    },
    parameters: initialise(MODEL, 5),
    optimiserState: new Map(),
  };
}

async function withFile(
  test: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    await test(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("a checkpoint holds any composition of layers", () =>
  withFile(async (path) => {
    await writeCheckpoint(path, checkpoint());
    const loaded = await readCheckpoint(path);
    assertEquals({ ...loaded, parameters: undefined }, {
      ...checkpoint(),
      parameters: undefined,
    });
    for (const [name, tensor] of checkpoint().parameters) {
      assertEquals(loaded.parameters.get(name), tensor);
    }
  }));

const DAMAGES: [string, Record<string, string>, string][] = [
  ["another version", { gapcam_version: "9" }, "it has format version 9"],
  ["no model", { model: "{" }, "its model is damaged"],
  ["no classes", { classes: "[]" }, "its model or classes are damaged"],
  [
    "an unknown layer",
    { model: JSON.stringify({ name: "x", layers: { kind: "eval" } }) },
    'layer kind "eval" is not known',
  ],
  [
    "a layer without numbers",
    { model: JSON.stringify({ name: "x", layers: { kind: "linear" } }) },
    "linear has no number inputFeatures",
  ],
  [
    "endless layers",
    {
      model: JSON.stringify({
        name: "x",
        layers: nested(40),
      }),
    },
    "a layer is not described by an object",
  ],
  ["no progress", { progress: "{}" }, "its progress is damaged"],
  ["no data set", { dataset: "[]" }, "its dataset is damaged"],
  [
    "layers of one name",
    {
      model: JSON.stringify({
        name: "x",
        layers: {
          kind: "sequential",
          layers: ["a", "b", "a"].map((name) => [name, nested(0)]),
        },
      }),
    },
    "a sequence names its layers twice",
  ],
  [
    "more outputs than classes",
    { classes: '["cat"]' },
    "its model has 2 outputs, but it names 1 class",
  ],
  [
    "a version that writes on the terminal",
    { gapcam_version: `\x1b[2J${"9".repeat(1e5)}` },
    "it has format version \\x1b[2J999999",
  ],
  [
    "a kind of layer that is endless",
    {
      model: JSON.stringify({
        name: "x",
        layers: { kind: "\x9b".repeat(1e5) },
      }),
    },
    'layer kind "\\x9b\\x9b',
  ],
  ["a test limit of nothing", {
    dataset: '{"name":"pets","testLimit":0}',
  }, "its data set is damaged"],
  ["a step before the first", {
    progress: JSON.stringify({ ...checkpoint().progress, step: -1 }),
  }, "its progress is damaged"],
  ...([
    ["freeze", 7, "a list of names"],
    ["freeze", [7], "a list of names"],
    ["labelSmoothing", "", "a number of at least 0 and below 1"],
    ["labelSmoothing", [], "a number of at least 0 and below 1"],
    ["flip", "yes", "true, false or alternating"],
    ["momentum", null, "a number"],
    ["weightDecay", "0", "a number"],
    ["schedule", "never", "one of constant"],
    ["optimiser", {}, "one of adam"],
    ["batchSize", "\x1b[31m4", "a whole number"],
    ["mean", ["0.5"], "one number for each channel"],
  ] as const).map(([name, value, expected]): [
    string,
    Record<string, string>,
    string,
  ] => [
    `${name} ${JSON.stringify(value)}`,
    { training: JSON.stringify({ [name]: value }) },
    `Cannot train with ${name} ${JSON.stringify(value)}: expected ${expected}`,
  ]),
  [
    "an impossible batch size",
    { training: JSON.stringify({ batchSize: -1 }) },
    "Cannot train with batchSize -1",
  ],
];

function nested(depth: number): unknown {
  return depth === 0
    ? { kind: "globalAveragePool" }
    : { kind: "sequential", layers: [["0", nested(depth - 1)]] };
}

for (const [name, change, message] of DAMAGES) {
  Deno.test(`readCheckpoint() refuses ${name}`, () =>
    withFile(async (path) => {
      const metadata = { ...checkpointMetadata(checkpoint()), ...change };
      await Deno.writeFile(
        path,
        encodeSafetensors(checkpoint().parameters, metadata),
      );
      const error = await assertRejects(
        () => readCheckpoint(path),
        GapcamError,
      );
      assertEquals(
        error.message.startsWith(`Cannot load checkpoint ${path}: `),
        true,
      );
      assertEquals(error.message.includes(message), true, error.message);
      // deno-lint-ignore no-control-regex
      assertEquals(/[\x00-\x1f\x7f-\x9f]/.test(error.message), false);
      assert(error.message.length < 500);
    }));
}

Deno.test("readCheckpoint() refuses foreign safetensors and damaged bytes", () =>
  withFile(async (path) => {
    const bytes = encodeSafetensors(checkpoint().parameters, { format: "pt" });
    await Deno.writeFile(path, bytes);
    await assertRejects(
      () => readCheckpoint(path),
      GapcamError,
      "it holds tensors but no description of a gapcam run",
    );
    await Deno.writeFile(path, bytes.subarray(0, bytes.length - 9));
    await assertRejects(() => readCheckpoint(path), GapcamError, path);
  }));

Deno.test("writeCheckpoint() that fails leaves the checkpoint that is there", () =>
  withFile(async (path) => {
    await writeCheckpoint(path, checkpoint());
    const before = await Deno.readFile(path);
    const broken = checkpoint();
    broken.parameters.set("head.weight", {
      shape: [9],
      data: new Float32Array(1),
    });
    await assertRejects(() => writeCheckpoint(path, broken), GapcamError);
    assertEquals(await Deno.readFile(path), before);
  }));

Deno.test("a network refuses tensors of other names without repeating what they hold", () => {
  using device = openDevice("cpu", { threads: 1 });
  const error = assertThrows(
    () =>
      new Network(device, MODEL, {
        state: new Map([
          ["\x1b[2J" + "x".repeat(1e5), {
            shape: [1],
            data: new Float32Array(1),
          }],
        ]),
      }),
    GapcamError,
    "Cannot load parameters: ",
  );
  // deno-lint-ignore no-control-regex
  assertEquals(/[\x00-\x1f]/.test(error.message), false);
  assert(error.message.length < 1500);
});

Deno.test("a checkpoint from before interpolation and crop share were kept means bilinear and all", () => {
  const model = vgg([4, "M", 8], { classes: 2 });
  const training = trainingConfig({ interpolation: "bicubic", cropShare: 0.5 });
  const metadata = checkpointMetadata({
    ...{ modelName: "custom", model, classes: ["cat", "dog"], training },
    ...{ dataset: { name: "pets" }, optimiserState: new Map() },
    progress: {
      ...{ epoch: 0, batch: 0, step: 0 },
      ...{ epochTotals: noTotals(), intervalTotals: noTotals() },
    },
    parameters: initialise(model, 0),
  });
  const parsed = parseCheckpoint(new Map(), metadata).training;
  assertEquals([parsed.interpolation, parsed.cropShare], ["bicubic", 0.5]);
  const { interpolation: _, cropShare: __, ...old } = training;
  const before = parseCheckpoint(new Map(), {
    ...metadata,
    training: JSON.stringify(old),
  }).training;
  assertEquals([before.interpolation, before.cropShare], ["bilinear", 1]);
});
