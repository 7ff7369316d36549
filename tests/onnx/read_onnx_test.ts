import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type HostTensor,
  InferenceProgram,
  initialise,
  Network,
  openDevice,
  readOnnx,
  vgg,
  writeOnnx,
} from "../../mod.ts";
import { GapcamError } from "../../src/error.ts";
import { Explainer } from "../../src/explain/explainer.ts";
import { importOnnx } from "../../src/onnx/import_onnx.ts";
import type { OnnxFile, OnnxNode } from "../../src/onnx/parse_onnx.ts";
import { ProtoMessage } from "../../src/_protobuf.ts";
import { images, relativeError } from "../nn/_hashed.ts";

const FOLDER = new URL("../fixtures/onnx/", import.meta.url);
const IMAGES = {
  batchSize: 2,
  image: { height: 24, width: 24, channels: 3 },
  mean: [0.5],
  deviation: [0.5],
};
const PIXELS = images(2 * 24 * 24 * 3, 77);
const EXPECTED: Record<string, number[][]> = JSON.parse(
  Deno.readTextFileSync(new URL("logits.json", FOLDER)),
);

/** What a file's network makes of the two images. */
async function logitsOf(path: string): Promise<Float32Array> {
  const { model, state } = await readOnnx(path);
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, model, { state });
  using inference = await InferenceProgram.compile(network, IMAGES);
  return await inference.run(PIXELS);
}

for (const [name, expected] of Object.entries(EXPECTED)) {
  const path = new URL(name, FOLDER).pathname;
  const softmax = /^(squeeze|keras)/.test(name);
  // A softmax that was left out leaves one number an image open.
  const comparable = (logits: ArrayLike<number>) =>
    Array.from(logits, (value, i) => {
      const row = Array.from(logits).slice(5 * Math.floor(i / 5)).slice(0, 5);
      return softmax ? value - row.reduce((a, b) => a + b) / 5 : value;
    });

  Deno.test(`readOnnx() computes what others compute of ${name}`, async () => {
    const error = relativeError(
      comparable(await logitsOf(path)),
      comparable(expected.flat()),
    );
    assertLess(error, 1e-5);
  });

  Deno.test(`${name} is written again as the same network`, async () => {
    const { model, state } = await readOnnx(path);
    const again = await Deno.makeTempFile({ suffix: ".onnx" });
    await writeOnnx(again, model, state);
    const error = relativeError(
      comparable(await logitsOf(again)),
      comparable(expected.flat()),
    );
    await Deno.remove(again);
    assertLess(error, 1e-5);
  });

  Deno.test(`the map of ${name} is proved, place by place`, async () => {
    const { model, state } = await readOnnx(path);
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, model, { state });
    using explainer = await Explainer.create(network, IMAGES);
    for (const { proof, place } of await explainer.explain(PIXELS)) {
      assertLess(Math.max(proof.residual, place.residual), 1e-4);
    }
  });
}

Deno.test("readOnnx() notes a softmax that it leaves out", async () => {
  const { notes } = await readOnnx(
    new URL("squeeze.dynamo.onnx", FOLDER).pathname,
  );
  assert(notes.some((note) => /softmax/i.test(note)), notes.join());
});

Deno.test("readOnnx() refuses a file that is cut, wherever it is", async () => {
  const whole = await Deno.readFile(
    new URL("shuffle.torchscript.onnx", FOLDER),
  );
  const path = await Deno.makeTempFile({ suffix: ".onnx" });
  for (let length = 0; length < whole.length; length += 97) {
    await Deno.writeFile(path, whole.subarray(0, length));
    await assertRejects(
      () => readOnnx(path),
      GapcamError,
      `Cannot read ${path}: `,
    );
  }
  await Deno.remove(path);
});

/** A file that {@linkcode parseOnnx} could have given. */
function file(nodes: readonly Partial<OnnxNode>[]): OnnxFile {
  return {
    opset: 17,
    producer: "",
    metadata: {},
    nodes: nodes.map((node, i) => ({
      name: `node ${i}`,
      operator: "Relu",
      inputs: ["image"],
      outputs: [`value ${i}`],
      attributes: new Map(),
      ...node,
    })),
    initializers: new Map(),
    inputs: [{ name: "image", shape: [1, 3, 8, 8] }],
    outputs: [{ name: "value 0", shape: [1, 3] }],
  };
}

function messageOf(one: OnnxFile): string {
  try {
    importOnnx(one, new Map());
  } catch (error) {
    assert(error instanceof GapcamError);
    return error.message;
  }
  return "";
}

Deno.test("importOnnx() names every operator that it does not know", () => {
  assertEquals(
    messageOf(file([
      { operator: "Einsum", name: "a" },
      { operator: "com.acme::Magic", name: "b" },
    ])),
    "2 operators are not supported: Einsum (a); com.acme::Magic (b)",
  );
});

/** What is said of one operator with these attributes and constants. */
function problemOf(
  operator: string,
  attributes: Readonly<Record<string, number | string | readonly number[]>>,
  constants: readonly HostTensor[] = [],
): string {
  const names = constants.map((_, i) => `constant ${i}`);
  const weights = new Map(
    constants.map(({ shape, data }, i) => [names[i]!, {
      ...{ dtype: "F32" as const, shape },
      bytes: new Uint8Array(data.slice().buffer),
    }]),
  );
  const one = file([{
    operator,
    name: "here",
    inputs: ["image", ...names],
    attributes: new Map(Object.entries(attributes)),
  }]);
  const { message } = assertThrows(
    () => importOnnx({ ...one, initializers: weights }, weights),
    GapcamError,
  );
  const start = `one operator is not supported: ${operator} (here): `;
  assert(message.startsWith(start), message);
  return message.slice(start.length);
}

function filled(...shape: number[]): HostTensor {
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, data: new Float32Array(length).fill(0.5) };
}

Deno.test("importOnnx() refuses an attribute's value, or an attribute, that it does not know", () => {
  const square = { kernel_shape: [2, 2] };
  for (
    const [operator, attributes, constants, text] of [
      [
        "Conv",
        { auto_pad: "WEIRD" },
        [filled(4, 3, 3, 3)],
        'its auto_pad is "WEIRD"',
      ],
      [
        "Conv",
        { kernel_shape: [5, 5] },
        [filled(4, 3, 3, 3)],
        "its kernel_shape is [5, 5], but its weight has [3, 3]",
      ],
      [
        "Conv",
        { strides: [1] },
        [filled(4, 3, 3, 3)],
        "its strides are not two",
      ],
      [
        "Conv",
        { pads: [-1, 0, 0, 0] },
        [filled(4, 3, 3, 3)],
        "its pads are [-1, 0, 0, 0], expected four from 0",
      ],
      ["Conv", { group: 0 }, [filled(4, 3, 3, 3)], "groups is 0"],
      [
        "Conv",
        { mystery: 1 },
        [filled(4, 3, 3, 3)],
        "its attribute mystery is not known",
      ],
      [
        "MaxPool",
        { ...square, ceil_mode: 7 },
        [],
        "its ceil_mode is 7, expected 0 or 1",
      ],
      [
        "MaxPool",
        { ...square, dilations: [2, 2] },
        [],
        "its dilations are 2 and 2, expected 1",
      ],
      [
        "AveragePool",
        { ...square, dilations: [2, 2] },
        [],
        "its dilations are 2 and 2, expected 1",
      ],
      [
        "AveragePool",
        { ...square, count_include_pad: -1 },
        [],
        "its count_include_pad is -1",
      ],
      [
        "BatchNormalization",
        { training_mode: 1 },
        Array(4).fill(filled(3)),
        "it does not normalise each channel by statistics",
      ],
      [
        "BatchNormalization",
        { epsilon: -1 },
        Array(4).fill(filled(3)),
        "epsilon is -1",
      ],
      [
        "Softmax",
        { axis: 0 },
        [],
        "its axis is 0, expected that of the classes",
      ],
      [
        "Split",
        { axis: 1, split: [1, 1] },
        [],
        "it splits 3 channels into 1 and 1 for 1 outputs",
      ],
      [
        "Reshape",
        {},
        [{ shape: [2], data: Float32Array.of(-1, -1) }],
        "it makes [-1, -1] of [N, 3, 8, 8]",
      ],
      [
        "Cast",
        { to: 6 },
        [],
        "it makes other numbers than floats (6) of a map",
      ],
      ["LeakyRelu", { alpha: [1, 2] }, [], "its attribute alpha is no number"],
      ["HardSigmoid", { alpha: 0.3 }, [], "its alpha is 0.3"],
      ["Gelu", { approximate: "tanh" }, [], "it approximates"],
      ["Concat", { axis: 9 }, [], "its axis is 9"],
      [
        "Transpose",
        { perm: [3, 2, 1, 0] },
        [],
        "its order of dimensions is [3,2,1,0]",
      ],
      ["ReduceMean", { axes: [1] }, [], "its axes are [1]"],
    ] as [
      string,
      Record<string, number | string | number[]>,
      HostTensor[],
      string,
    ][]
  ) assertStringIncludes(problemOf(operator, attributes, constants), text);
});

Deno.test("importOnnx() refuses weights of another width, with what it found", () => {
  for (
    const [operator, constants, text] of [
      ["Conv", [filled(4, 5, 3, 3)], "it takes 5 channels, found [3, 8, 8]"],
      [
        "Conv",
        [filled(4, 3, 3)],
        "its weight is [4, 3, 3], expected [outputs, inputs",
      ],
      ["Conv", [filled(4, 3, 9, 9)], "its window does not fit [3, 8, 8]"],
      [
        "Conv",
        [filled(4, 3, 3, 3), filled(5)],
        "its bias is [5], expected [4]",
      ],
      [
        "BatchNormalization",
        Array(4).fill(filled(4)),
        "it takes 4 channels, found [3, 8, 8]",
      ],
      ["Gemm", [filled(7, 5)], "it takes 7 features, found [3, 8, 8]"],
      [
        "Add",
        [filled(1, 7, 1, 1)],
        "its constant is [1, 7, 1, 1], expected one number, or one for each of 3 channels",
      ],
    ] as [string, HostTensor[], string][]
  ) assertStringIncludes(problemOf(operator, {}, constants), text);
});

Deno.test("importOnnx() lets a pool do the padding in front of it only where that is the same", () => {
  const padThenMax = (before: Partial<OnnxNode>) =>
    messageOf(file([
      { outputs: ["a"], ...before },
      {
        operator: "Pad",
        inputs: ["a"],
        outputs: ["b"],
        attributes: new Map([["pads", [0, 0, 1, 1, 0, 0, 1, 1]]]),
      },
      {
        operator: "MaxPool",
        inputs: ["b"],
        outputs: ["value 0"],
        attributes: new Map([["kernel_shape", [3, 3]]]),
      },
    ]));
  assertStringIncludes(
    padThenMax({}),
    "it ends in no list of one number a class",
  );
  // What may be below zero is not above the padding's zeros.
  assertStringIncludes(
    padThenMax({ operator: "LeakyRelu" }),
    "MaxPool (node 2): padding stands in front of it",
  );
});

Deno.test("importOnnx() refuses a cycle", () => {
  assertEquals(
    messageOf(file([
      { inputs: ["value 1"] },
      { inputs: ["value 0"] },
    ])),
    "one operator is not supported: Relu (node 0): it reads " +
      '"value 1", which nothing before it makes',
  );
});

Deno.test("importOnnx() refuses a head that is no classifier", () => {
  assertEquals(
    messageOf(file([{}])),
    "it ends in no list of one number a class: its output " +
      '"value 0" is [N, 3, 8, 8]',
  );
});

async function joined(pieces: readonly Uint8Array[]): Promise<Uint8Array> {
  const blob = new Blob(pieces.map((piece) => piece.slice()));
  return new Uint8Array(await blob.arrayBuffer());
}

/** A file with a graph. */
async function withGraph(
  fill: (graph: ProtoMessage) => void,
): Promise<string> {
  const graph = new ProtoMessage();
  fill(graph);
  const opset = new ProtoMessage().integer(2, 17);
  const { pieces } = new ProtoMessage().integer(1, 8).message(7, graph)
    .message(8, opset);
  const path = await Deno.makeTempFile({ suffix: ".onnx" });
  await Deno.writeFile(path, await joined(pieces));
  return path;
}

async function refusal(path: string): Promise<string> {
  const { message } = await assertRejects(() => readOnnx(path), GapcamError);
  await Deno.remove(path);
  return message.replace(path, "FILE");
}

Deno.test("readOnnx() says what a file is that is none", async () => {
  const path = await Deno.makeTempFile({ suffix: ".onnx" });
  for (
    const [text, kind] of [
      ["<!DOCTYPE html><p>not found", "a web page"],
      ["\x89PNG\r\n", "a PNG picture"],
      ["version https://git-lfs.github.com", "a pointer of Git LFS"],
      ["", "empty"],
    ] as const
  ) {
    await Deno.writeFile(
      path,
      Uint8Array.from(text, (character) => character.charCodeAt(0)),
    );
    const { message } = await assertRejects(() => readOnnx(path), GapcamError);
    assert(message.startsWith(`Cannot read ${path}: it is ${kind}`), message);
  }
  await Deno.remove(path);
});

Deno.test("readOnnx() reads weights only from the file's own folder", async () => {
  for (const place of ["../weights.bin", "/etc/passwd", "a/../../b", ""]) {
    const path = await withGraph((graph) => {
      const entry = (key: string, value: string) =>
        new ProtoMessage().text(1, key).text(2, value);
      graph.message(
        5,
        new ProtoMessage().integer(1, 2).integer(2, 1).text(8, "w")
          .message(13, entry("location", place)).integer(14, 1),
      );
    });
    assertEquals(
      await refusal(path),
      `Cannot read FILE: tensor "w" is said to be in ${
        JSON.stringify(place)
      }, which is not in the folder of the file`,
    );
  }
});

Deno.test("readOnnx() follows no link out of the file's folder, but those of a cache", async () => {
  const folder = await Deno.makeTempDir();
  const path = await withGraph((graph) => {
    const entry = new ProtoMessage().text(1, "location").text(2, "w.bin");
    graph.message(
      5,
      new ProtoMessage().integer(1, 2).integer(2, 1).text(8, "w")
        .message(13, entry).integer(14, 1),
    );
  });
  await Deno.mkdir(`${folder}/blobs`);
  await Deno.mkdir(`${folder}/seen`);
  await Deno.copyFile(path, `${folder}/blobs/a`);
  await Deno.writeFile(`${folder}/blobs/b`, new Uint8Array(8));
  await Deno.symlink(`${folder}/blobs/b`, `${folder}/seen/w.bin`);
  await Deno.copyFile(path, `${folder}/seen/own.onnx`);
  await Deno.symlink(`${folder}/blobs/a`, `${folder}/seen/linked.onnx`);
  const { message } = await assertRejects(
    () => readOnnx(`${folder}/seen/own.onnx`),
    GapcamError,
  );
  assertStringIncludes(message, "which is not in the folder of the file");
  const cached = await assertRejects(
    () => readOnnx(`${folder}/seen/linked.onnx`),
    GapcamError,
  );
  assertStringIncludes(cached.message, "it takes 0 inputs");
  await Deno.remove(path);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("readOnnx() keeps one copy of large weights, that of the file", async () => {
  const model = vgg([64, "M", 128, 128], { classes: 10 });
  const path = await Deno.makeTempFile({ suffix: ".onnx" });
  await writeOnnx(path, model, initialise(model, 0));
  const { state } = await readOnnx(path, { imageSize: 16 });
  const buffers = new Set([...state.values()].map(({ data }) => data.buffer));
  const bytes = [...buffers].reduce(
    (sum, { byteLength }) => sum + byteLength,
    0,
  );
  const { size } = await Deno.stat(path);
  assertLess(bytes, size + 20_000);
  await Deno.remove(path);
});

Deno.test("readOnnx() refuses a million operators, and a text of a gigabyte that is not there", async () => {
  // Field 1, two bytes: a node whose operator, field 4, is the text "".
  const nodes = new Uint8Array(4e6);
  for (let i = 0; i < nodes.length; i += 4) nodes.set([0x0a, 2, 0x22, 0], i);
  const path = await Deno.makeTempFile({ suffix: ".onnx" });
  const opset = new ProtoMessage().integer(2, 17);
  const { pieces } = new ProtoMessage().bytes(7, nodes).message(8, opset);
  await Deno.writeFile(path, await joined(pieces));
  const start = performance.now();
  assertEquals(
    await refusal(path),
    "Cannot read FILE: its graph has more than 100000 operators",
  );
  assertLess(performance.now() - start, 10_000);
  const claimed = await Deno.makeTempFile({ suffix: ".onnx" });
  // Field 2, the producer: a length of 2^30 and three letters.
  await Deno.writeFile(
    claimed,
    Uint8Array.of(0x12, 0x80, 0x80, 0x80, 0x80, 0x04, 97, 98, 99),
  );
  assertEquals(
    await refusal(claimed),
    "Cannot read FILE: it is cut off or damaged",
  );
});

Deno.test("readOnnx() refuses a tensor with fewer bytes than its shape says", async () => {
  const path = await withGraph((graph) => {
    graph.message(
      5,
      new ProtoMessage().integer(1, 2 ** 20).integer(1, 2 ** 20).integer(2, 1)
        .text(8, "w").text(9, "abcd"),
    );
  });
  assert((await refusal(path)).startsWith('Cannot read FILE: tensor "w"'));
});
